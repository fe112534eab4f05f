// Rewrites the outline of a glyph in relative coordinates, which are shorter: a page of formulas carries dozens of outlines.

const LENGTH = { M: 2, L: 2, H: 1, V: 1, Q: 4, C: 6, Z: 0 };

export function relativeOutline(path) {
  let [x, y, startX, startY] = [0, 0, 0, 0];
  let previous = '';
  let out = '';
  for (const [, letter, list] of path.matchAll(/([A-Za-z])([^A-Za-z]*)/g)) {
    if (!(letter in LENGTH)) throw new Error(`glyph outline with an unknown command ${letter}`);
    const numbers = (list.match(/-?[\d.]+/g) ?? []).map(Number);
    if (letter === 'Z') {
      [x, y] = [startX, startY];
      out += 'z';
      previous = 'z';
      continue;
    }
    for (let i = 0; i < numbers.length; i += LENGTH[letter]) {
      const segment = numbers.slice(i, i + LENGTH[letter]);
      const moved = segment.map((n, j) => n - (letter === 'V' || (letter !== 'H' && j % 2) ? y : x));
      if (letter !== 'V') x = letter === 'H' ? segment[0] : segment.at(-2);
      if (letter !== 'H') y = segment.at(-1);
      if (letter === 'M') [startX, startY] = [x, y];
      const command = letter.toLowerCase();
      // A letter that repeats may be left out; a minus sign separates by itself.
      const text = moved.map((n) => String(+n.toFixed(2))).join(' ').replace(/ -/g, '-');
      out += command === previous && command !== 'm' ? (text.startsWith('-') ? '' : ' ') + text : command + text;
      previous = command;
    }
  }
  return out;
}
