// Figures with sliders. For each stop of each slider there is what lossref computed: a row of a table on the page, and
// coordinates of the moving lines, on the page or in a file. A slider only chooses among them; nothing is computed here.
// The listeners sit on the document, so that they outlive instant navigation.
(() => {
  const asked = new WeakMap();

  // Second differences, in tenths of a pixel (tools/explorers/draw.py).
  const decode = (text) => {
    let step = 0, value = 0;
    return text.split(" ").map((change) => (value += step += +change) / 10);
  };

  const curves = async (figure) => {
    const held = figure.querySelector("template");
    const from = held.dataset.from;
    const { pool, lines } = from ? await (await fetch(from)).json() : JSON.parse(held.content.textContent);
    return { pool: pool.map(decode), lines };
  };

  // Nothing where they cannot be fetched; then they are asked for again the next time.
  const curvesOf = (figure) => {
    if (!asked.has(figure)) asked.set(figure, curves(figure).catch(() => void asked.delete(figure)));
    return asked.get(figure);
  };

  const explorerOf = ({ target }) => target.closest?.("figure.explorer");

  // Whoever reaches for a slider will want its curves.
  for (const reach of ["pointerover", "focusin"])
    document.addEventListener(reach, (event) => {
      const figure = event.target.matches?.("[type=range]") && explorerOf(event);
      if (figure) curvesOf(figure);
    });

  document.addEventListener("input", async (event) => {
    const figure = explorerOf(event);
    if (!figure) return;
    const sliders = [...figure.querySelectorAll("[type=range]")];
    const rowOf = () => sliders.reduce((row, { max, value }) => row * (+max + 1) + +value, 0);
    const cellsOf = (row) => [...figure.querySelector("tbody").rows[row].cells].map((cell) => cell.textContent);
    cellsOf(rowOf()).slice(0, sliders.length).forEach((stop, i) => {
      sliders[i].setAttribute("aria-valuetext", stop);
      sliders[i].nextElementSibling.textContent = stop;
    });
    const held = await curvesOf(figure);
    if (!held) return;
    const row = rowOf(), cells = cellsOf(row);
    const status = figure.querySelector("[data-says]");
    status.textContent = status.dataset.says.replace(/\{(\d+)\}/g, (_, i) => cells[i]);
    figure.querySelectorAll(".chart-image .lr-live").forEach((line, i) => {
      const [x, y] = held.lines[row][i].map((which) => held.pool[which]);
      line.setAttribute("points", x.map((value, at) => `${value},${y[at]}`).join(" "));
    });
  });
})();
