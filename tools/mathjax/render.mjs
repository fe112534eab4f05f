// Typesets formulas for the site build (see ../typesetter.py, which starts this process and keeps it).
//
// One JSON array per line on stdin:    [{"tex": "...", "display": true}, ...]
// One JSON object per line on stdout:  {"formulas": [{"svg": "...", "mathml": "..."} or {"error": "..."}, ...],
//                                       "glyphs": {"id": "path data", ...}}    glyphs not sent before
//
// The SVG refers to glyphs by id, so that a page holds the outline of each character once.

import { createInterface } from 'node:readline';
import MathJax from 'mathjax';
import { relativeOutline } from './outline.mjs';

// The x-height of MathJax's font. MathJax gives lengths in ex and lets the browser match the text around it; system
// fonts differ from machine to machine, so lengths are given in em instead and the stylesheet sets the size once.
const EM_PER_EX = 0.442;

await MathJax.init({
  loader: { load: ['input/tex', 'output/svg', 'adaptors/liteDOM'] },
  tex: {
    // Without `noundefined` an unknown macro is an error instead of red letters.
    packages: { '[-]': ['noundefined', 'require'] },
    formatError: (_jax, error) => { throw error; },
  },
  svg: { fontCache: 'global' },
  startup: { typeset: false },
});
const adaptor = MathJax.startup.adaptor;
// Chinese characters are drawn at this size; the default reserves a full em for each and leaves a gap behind words.
adaptor.options.cjkCharWidth = 0.884;
// The steps of a derivation are full of fractions and need more air between them than TeX's default.
MathJax.startup.input[0].postFilters.add(({ data }) => data.root.walkTree((node) => {
  if (node.isKind?.('mtable') && node.attributes.get('displaystyle')) node.attributes.set('rowspacing', '0.7em');
}));
const sent = new Set();

const em = (ex) => `${+(ex * EM_PER_EX).toFixed(3)}em`;

function compactSvg(html) {
  return html
    .replace(/<mjx-container[^>]*?( style="[^"]*")?>|<\/mjx-container>/g, '')
    .replace(/ (data-latex|data-mml-node|data-c|data-mjx-texclass|data-variant|data-labels|data-table|xmlns|xmlns:xlink|focusable|role|id)="[^"]*"/g, '')
    .replace(/<g stroke="currentColor" fill="currentColor" stroke-width="0" /g, '<g ')
    // Still xlink:href: Material's instant navigation trips over <use href>.
    .replace(/xlink:href="#MJX-/g, 'xlink:href="#')
    .replace(/<(use|path|rect|line)([^>]*)><\/\1>/g, '<$1$2/>')
    .replace(/<g><\/g>|<g transform="[^"]*"><\/g>/g, '')
    .replace(/(-?[\d.]+)ex/g, (_, ex) => em(+ex))
    // Where MathJax allows a line break in running text it puts a space of the right width, in a font of its own.
    // Here the space has no width (see the stylesheet), and the width becomes a margin.
    .replace(/<mjx-break([^>]*)>[^<]*<\/mjx-break><svg style="/g, (_, attributes) => {
      const size = { 1: 0.111, 2: 0.167, 3: 0.222, 4: 0.278, 5: 0.333 }[/size="(\d)"/.exec(attributes)?.[1]] ?? 0;
      return `<mjx-break> </mjx-break><svg style="margin-left: ${size}em; `;
    })
    .replace(/<svg /g, '<svg aria-hidden="true" ');
}

function compactMathml(xml) {
  return xml
    .replace(/ (data-[\w-]+|xmlns|id)="[^"]*"/g, '')
    .replace(/>\s*\n\s*</g, '><')
    .trim();
}

async function typeset({ tex, display }) {
  try {
    const node = await MathJax.tex2svgPromise(tex, { display });
    const mathml = await MathJax.tex2mmlPromise(tex, { display });
    return { svg: compactSvg(adaptor.outerHTML(node)), mathml: compactMathml(mathml) };
  } catch (error) {
    return { error: error.message };
  }
}

function newGlyphs() {
  const glyphs = {};
  const cache = adaptor.outerHTML(MathJax.startup.document.outputJax.fontCache.getCache());
  for (const [, id, path] of cache.matchAll(/<path id="MJX-([^"]*)" d="([^"]*)"/g)) {
    if (!sent.has(id)) {
      sent.add(id);
      glyphs[id] = relativeOutline(path);
    }
  }
  return glyphs;
}

for await (const line of createInterface({ input: process.stdin })) {
  const formulas = [];
  for (const formula of JSON.parse(line)) formulas.push(await typeset(formula));
  process.stdout.write(JSON.stringify({ formulas, glyphs: newGlyphs() }) + '\n');
}
