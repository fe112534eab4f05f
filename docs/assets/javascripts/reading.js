// Small services to the reader. Formulas are typeset when the site is built; this only lets a reader take their TeX
// along: a click on a formula copies it, and in a copied passage formulas appear as TeX. What is wider than the screen
// can be scrolled from the keyboard. Listeners sit on the document, so that they outlive instant navigation.
(() => {
  const formulaAt = (target) => target.closest?.("mjx-container[data-tex]");
  const asSource = (formula) =>
    formula.hasAttribute("display") ? `$$${formula.dataset.tex}$$` : `$${formula.dataset.tex}$`;

  document.addEventListener("click", async (event) => {
    const formula = formulaAt(event.target);
    if (!formula || event.target.closest("a") || !getSelection().isCollapsed) return;
    await navigator.clipboard?.writeText(formula.dataset.tex);
    formula.setAttribute("data-copied", "");
    setTimeout(() => formula.removeAttribute("data-copied"), 1200);
  });

  document.addEventListener("copy", (event) => {
    const selection = getSelection();
    if (selection.isCollapsed || !selection.rangeCount) return;
    const fragment = selection.getRangeAt(0).cloneContents();
    const formulas = fragment.querySelectorAll("mjx-container[data-tex]");
    if (!formulas.length) return;
    for (const formula of formulas) formula.replaceWith(asSource(formula));
    for (const glyphs of fragment.querySelectorAll(".math-glyphs")) glyphs.remove();
    // The text has its line breaks only where it is laid out.
    const stage = document.createElement("div");
    stage.style.cssText = "position:fixed;left:-10000px;white-space:normal";
    stage.append(fragment);
    document.body.append(stage);
    event.clipboardData.setData("text/plain", stage.innerText);
    stage.remove();
    event.preventDefault();
  });

  const letScroll = () => {
    for (const box of document.querySelectorAll("mjx-container:is([display], [wide]), .md-typeset__scrollwrap")) {
      box.toggleAttribute("tabindex", false);
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    }
  };
  // Material wraps tables when it shows a page; look at them after that.
  const soon = () => requestAnimationFrame(() => setTimeout(letScroll));
  soon();
  addEventListener("resize", letScroll);
  // Material announces pages shown by instant navigation here; it is silent for pages opened from disk.
  window.document$?.subscribe(soon);

  // Material's search is a dialog without a name.
  document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "搜索");
})();
