// The search index weighs more than a chapter, and Material fetches it for every visitor. Here it comes, with its worker,
// when somebody reaches for the search. This runs before Material's script; pages opened from disk need none of it.
(() => {
  const asked = new URLSearchParams(location.search);
  if (location.protocol === "file:" || asked.has("h") || asked.has("q")) return;
  const wanted = new Promise((resolve) => {
    const reached = ({ target }) => target.closest?.(".md-search, [for=__search]") && resolve();
    for (const event of ["focusin", "pointerover", "touchstart"]) document.addEventListener(event, reached, { passive: true });
  });

  const { open, send } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.open = function (method, url, ...rest) {
    this.late = `${url}`.endsWith("search/search_index.json");
    open.call(this, method, url, ...rest);
  };
  XMLHttpRequest.prototype.send = function (body) {
    if (this.late) wanted.then(() => send.call(this, body));
    else send.call(this, body);
  };

  const Now = Worker;
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.worker = wanted.then(() => {
        const worker = new Now(url);
        worker.addEventListener("message", ({ data }) => this.dispatchEvent(new MessageEvent("message", { data })));
        return worker;
      });
    }

    postMessage(message) {
      this.worker.then((worker) => worker.postMessage(message));
    }
  };
})();
