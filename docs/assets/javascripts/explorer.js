// Figures with sliders. For each stop of each slider the page holds what lossref computed: a row of a table, and the
// coordinates of the moving lines. A slider only chooses among them; nothing is computed here. The listener sits on the
// document, so that it outlives instant navigation; until a slider moves there is nothing to do.
(() => {
  const read = new WeakMap();

  // Second differences, in tenths of a pixel (tools/explorers/draw.py).
  const decode = (text) => {
    let step = 0, value = 0;
    return text.split(" ").map((change) => (value += step += +change) / 10);
  };

  const dataOf = (figure) => {
    if (!read.has(figure)) {
      const { pool, lines } = JSON.parse(figure.querySelector("template").content.textContent);
      read.set(figure, { pool: pool.map(decode), lines });
    }
    return read.get(figure);
  };

  document.addEventListener("input", ({ target }) => {
    const figure = target.closest?.("figure.explorer");
    if (!figure) return;
    const sliders = [...figure.querySelectorAll("input[type=range]")];
    const setting = sliders.reduce((sum, { max, value }) => sum * (+max + 1) + +value, 0);
    const cells = [...figure.querySelector("tbody").rows[setting].cells].map((cell) => cell.textContent);
    sliders.forEach((slider, i) => {
      slider.setAttribute("aria-valuetext", cells[i]);
      slider.nextElementSibling.textContent = cells[i];
    });
    const status = figure.querySelector("[data-says]");
    status.textContent = status.dataset.says.replace(/\{(\d+)\}/g, (_, i) => cells[i]);
    const { pool, lines } = dataOf(figure);
    figure.querySelectorAll(".chart-image .lr-live").forEach((line, i) => {
      const [x, y] = lines[setting][i].map((which) => pool[which]);
      line.setAttribute("points", x.map((value, at) => `${value},${y[at]}`).join(" "));
    });
  });
})();
