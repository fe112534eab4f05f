// Rewrites what MathJax draws in fewer letters: groups that say nothing go, shifts are added up, lengths are whole
// thousandths of an em. What is seen stays where it was.

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

/** What `node` and all below it draw, moved by `by`, as SVG; `empty(id)` tells which glyphs have no outline. */
export function compact(node, adaptor, empty, by = STILL) {
  const kind = adaptor.kind(node);
  if (kind === '#text') return adaptor.value(node).replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
  const attribute = (name) => adaptor.getAttribute(node, name);
  const own = moves(attribute('transform'));
  const place = own ? then(by, own) : by;
  const children = () => adaptor.childNodes(node);
  const drawn = (move) => children().map((child) => compact(child, adaptor, empty, move)).filter(Boolean);
  const kept = KEPT.filter((name) => attribute(name) != null && !(kind === 'g' && name === 'id'))
    .map((name) => ` ${name}="${rounded(name, attribute(name))}"`).join('');

  if (kind === 'g' && !kept && own) {
    const inside = drawn(STILL);
    // A group of one passes its place on.
    if (inside.length === 1 || !written(place)) return drawn(place).join('');
    return inside.length ? `<g transform="${written(place)}">${inside.join('')}</g>` : '';
  }
  if (kind === 'use') {
    const glyph = attribute('xlink:href').replace(/^#MJX-(NCM-)?/, '');
    if (empty(glyph)) return '';
    const shift = own && place.scale === 1
      ? ['x', 'y'].filter((axis) => whole(place[axis]) !== '0').map((axis) => ` ${axis}="${whole(place[axis])}"`).join('')
      : transformed(by, own, attribute('transform'));
    // Still xlink:href: Material's instant navigation trips over <use href>.
    return `<use xlink:href="#${glyph}"${shift}/>`;
  }
  const inside = drawn(STILL).join('');
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
