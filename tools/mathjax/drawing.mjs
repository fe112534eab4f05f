// Rewrites what MathJax draws in fewer letters: groups that say nothing go, shifts are counted from one symbol to
// the next, lengths are whole thousandths of an em. What is seen stays where it was.

const KEPT = ['id', 'x', 'y', 'x1', 'y1', 'x2', 'y2', 'width', 'height', 'd', 'viewBox', 'preserveAspectRatio', 'fill',
  'stroke', 'stroke-width', 'stroke-dasharray', 'font-size', 'rx', 'ry', 'cx', 'cy', 'r', 'style'];
const STILL = { x: 0, y: 0, scale: 1 };

const whole = (number) => String(Math.round(number) || 0);

// A transform as a shift and a scale; null if it is more than that.
function moves(text) {
  let { x, y, scale } = STILL;
  for (const [, name, list] of (text ?? '').matchAll(/(\w+)\(([^)]*)\)/g)) {
    const [first, second] = list.split(/[ ,]+/).map(Number);
    if (name === 'translate') [x, y] = [x + scale * first, y + scale * (second ?? 0)];
    else if (name === 'scale' && (second === undefined || second === first)) scale *= first;
    else return null;
  }
  return { x, y, scale };
}

const then = (outer, inner) => ({
  x: outer.x + outer.scale * inner.x,
  y: outer.y + outer.scale * inner.y,
  scale: outer.scale * inner.scale,
});

function written({ x, y, scale }) {
  const [right, up] = [whole(x), whole(y)];
  const shift = up !== '0' ? `translate(${right} ${up})` : right !== '0' ? `translate(${right})` : '';
  return shift + (scale === 1 ? '' : `scale(${+scale.toFixed(4)})`);
}

const glyphOf = (node, adaptor) => adaptor.getAttribute(node, 'xlink:href').replace(/^#MJX-(NCM-)?/, '');

// A group that is only there to be moved, or not even that.
const bare = (node, adaptor) => adaptor.kind(node) === 'g' && moves(adaptor.getAttribute(node, 'transform'))
  && !KEPT.some((name) => name !== 'id' && adaptor.getAttribute(node, name) != null);

function draws(node, adaptor, empty) {
  if (adaptor.kind(node) === 'use') return !empty(glyphOf(node, adaptor));
  return !bare(node, adaptor) || adaptor.childNodes(node).some((child) => draws(child, adaptor, empty));
}

// What stands in a group, without what draws nothing and the groups that say nothing.
const contents = (node, adaptor, empty) => adaptor.childNodes(node)
  .filter((child) => draws(child, adaptor, empty))
  .flatMap((child) => bare(child, adaptor) && !written(moves(adaptor.getAttribute(child, 'transform')))
    ? contents(child, adaptor, empty) : [child]);

// Each symbol on the line starts a group that holds the rest of the line. Steps from symbol to symbol are widths of
// glyphs, a few numbers that come again and again, and compress far better than places on the line.
function line(nodes, adaptor, empty) {
  let [text, at, open] = ['', 0, 0];
  for (const node of nodes) {
    const own = moves(adaptor.getAttribute(node, 'transform'));
    const place = own && Math.round(own.x);
    if (own && own.scale === 1 && whole(own.y) === '0' && place !== at) {
      text += `<g transform="translate(${place - at})">`;
      [at, open] = [place, open + 1];
    }
    text += compact(node, adaptor, empty, { ...STILL, x: -at });
  }
  return text + '</g>'.repeat(open);
}

/** What `node` and all below it draw, moved by `by`, as SVG; `empty(id)` tells which glyphs have no outline. */
export function compact(node, adaptor, empty, by = STILL) {
  const kind = adaptor.kind(node);
  if (kind === '#text') return adaptor.value(node).replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
  const attribute = (name) => adaptor.getAttribute(node, name);
  const own = moves(attribute('transform'));
  const place = own ? then(by, own) : by;

  if (bare(node, adaptor)) {
    const inside = contents(node, adaptor, empty);
    // A group of one passes its place on.
    if (inside.length === 1) return compact(inside[0], adaptor, empty, place);
    const drawn = line(inside, adaptor, empty);
    return drawn && written(place) ? `<g transform="${written(place)}">${drawn}</g>` : drawn;
  }
  if (kind === 'use') {
    const glyph = glyphOf(node, adaptor);
    if (empty(glyph)) return '';
    const shift = own && place.scale === 1
      ? ['x', 'y'].filter((axis) => whole(place[axis]) !== '0').map((axis) => ` ${axis}="${whole(place[axis])}"`).join('')
      : transformed(by, own, attribute('transform'));
    // Still xlink:href: Material's instant navigation trips over <use href>.
    return `<use xlink:href="#${glyph}"${shift}/>`;
  }
  const kept = KEPT.filter((name) => attribute(name) != null && !(kind === 'g' && name === 'id'))
    .map((name) => ` ${name}="${rounded(name, attribute(name))}"`).join('');
  const inside = adaptor.childNodes(node).map((child) => compact(child, adaptor, empty)).join('');
  const start = `<${kind}${kept}${kind === 'svg' ? '' : transformed(by, own, attribute('transform'))}`;
  const element = inside ? `${start}>${inside}</${kind}>` : `${start}/>`;
  // An inner <svg> takes no transform in all browsers.
  return kind === 'svg' && written(by) ? `<g transform="${written(by)}">${element}</g>` : element;
}

function transformed(by, own, text) {
  const all = own ? written(then(by, own)) : written(by) + text;
  return all && ` transform="${all}"`;
}

const rounded = (name, value) => /^(x|y|width|height)$/.test(name) && /^-?[\d.]+$/.test(value) ? whole(+value) : value;
