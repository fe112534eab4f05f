// Typesets formulas for the site build (see ../typesetter.py, which starts this process and keeps it).
//
// One JSON array per line on stdin:    [{"tex": "...", "display": true}, ...]
// One JSON object per line on stdout:  {"formulas": [{"pieces": [...], "mathml": "..."} or {"error": "..."}, ...],
//                                       "glyphs": {"id": "path data", ...}}    glyphs not sent before
//
// A piece is what stays on one line: its drawing, which refers to glyphs by id, and its box. Running text may break
// between two pieces; `gap` is the space MathJax leaves there. Lengths are in thousandths of an em. (MathJax would give
// them in ex and let the browser match the text around; but system fonts differ, so the stylesheet sets the size once.)

import { createInterface } from 'node:readline';
import MathJax from 'mathjax';
import { compact } from './drawing.mjs';
import { relativeOutline } from './outline.mjs';

// An inline formula up to this width stays in one piece; a longer one may break where MathJax allows it.
const UNBROKEN = 12_000;
// MathJax's spaces between symbols, by the number it gives them.
const GAPS = { 1: 111, 2: 167, 3: 222, 4: 278, 5: 333 };

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
const output = MathJax.startup.document.outputJax;
// Chinese characters are drawn at this size; the default reserves a full em for each and leaves a gap behind words.
adaptor.options.cjkCharWidth = 0.884;
// The steps of a derivation are full of fractions and need more air between them than TeX's default.
MathJax.startup.input[0].postFilters.add(({ data }) => data.root.walkTree((node) => {
  if (node.isKind?.('mtable') && node.attributes.get('displaystyle')) node.attributes.set('rowspacing', '0.7em');
}));

const outlines = new Map();
const sent = new Set();

function learnGlyphs() {
  for (const path of adaptor.childNodes(output.fontCache.getCache())) {
    const id = adaptor.getAttribute(path, 'id').replace(/^MJX-(NCM-)?/, '');
    if (!outlines.has(id)) outlines.set(id, relativeOutline(adaptor.getAttribute(path, 'd')));
  }
}

// The width of a drawing, and how far it reaches above and below the line. In running text nearly all fit into a line,
// and get one and the same height and depth.
function boxOf(svg, inline) {
  const viewBox = adaptor.getAttribute(svg, 'viewBox');
  // A formula with a tag is as wide as the column.
  const [, top, width, height] = (viewBox ?? adaptor.getAttribute(svg, 'data-mjx-viewBox')).split(' ').map(Number);
  const [above, below] = [Math.ceil(-top), Math.ceil(top + height)];
  return {
    width: viewBox ? Math.ceil(width) : null,
    above: inline ? Math.max(above, 750) : above,
    below: inline ? Math.max(below, 250) : below,
  };
}

function pieces(container, inline) {
  const found = [];
  let gap = 0;
  for (const node of adaptor.childNodes(container)) {
    if (adaptor.kind(node) === 'mjx-break') {
      gap = GAPS[adaptor.getAttribute(node, 'size')] ?? 0;
    } else if (adaptor.kind(node) === 'svg') {
      found.push({ gap, ...boxOf(node, inline), drawing: drawingOf(node) });
      gap = 0;
    }
  }
  return found;
}

// The outermost group sets the pen, which the stylesheet does for all, and turns y upwards, which maths.py does.
function drawingOf(svg) {
  const group = adaptor.childNodes(svg).find((node) => adaptor.kind(node) === 'g');
  for (const name of ['stroke', 'fill', 'stroke-width']) adaptor.removeAttribute(group, name);
  if (adaptor.getAttribute(group, 'transform') === 'scale(1,-1)') adaptor.removeAttribute(group, 'transform');
  return compact(group, adaptor, (id) => outlines.get(id) === '');
}

function compactMathml(xml) {
  return xml
    // What only a browser that draws MathML would use; here it is for reading aloud.
    .replace(/ (data-[\w-]+|xmlns|id|stretchy|columnalign|columnspacing|rowspacing|displaystyle|scriptlevel|minsize|maxsize|fence|separator|lspace|rspace|linethickness|symmetric|form|accent)="[^"]*"/g, '')
    .replace(/&#x([0-9A-F]+);/g, (entity, code) => /^(26|3C|3E)$/.test(code) ? entity : String.fromCodePoint(parseInt(code, 16)))
    .replace(/>\s*\n\s*</g, '><')
    .replace(/<mrow>(<(m[ino])>[^<]*<\/\2>)<\/mrow>/g, '$1')
    .trim();
}

async function drawn(tex, display, breaks) {
  output.options.linebreaks.inline = breaks;
  const container = await MathJax.tex2svgPromise(tex, { display });
  learnGlyphs();
  return pieces(container, !display);
}

async function typeset({ tex, display }) {
  try {
    const whole = await drawn(tex, display, false);
    const long = !display && whole.reduce((sum, piece) => sum + piece.width, 0) > UNBROKEN;
    const mathml = await MathJax.tex2mmlPromise(tex, { display });
    return { pieces: long ? await drawn(tex, display, true) : whole, mathml: compactMathml(mathml) };
  } catch (error) {
    return { error: error.message };
  }
}

function newGlyphs() {
  const glyphs = {};
  for (const [id, outline] of outlines) {
    if (outline && !sent.has(id)) {
      sent.add(id);
      glyphs[id] = outline;
    }
  }
  return glyphs;
}

for await (const line of createInterface({ input: process.stdin })) {
  const formulas = [];
  for (const formula of JSON.parse(line)) formulas.push(await typeset(formula));
  process.stdout.write(JSON.stringify({ formulas, glyphs: newGlyphs() }) + '\n');
}
