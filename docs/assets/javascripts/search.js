// "KL散度" means "KL 散度": Material's search takes a run of Latin and Chinese for one word, which no page contains. The
// query is pulled apart on its way to the search worker; what the reader typed stays as it is.
(() => {
  const BOUNDARY = /(?<=[\p{Script=Latin}\d_])(?=\p{Script=Han})|(?<=\p{Script=Han})(?=[\p{Script=Latin}\d_])/gu;
  const QUERY = 2; // Material's message type
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message, ...rest) {
    const query = message?.type === QUERY && typeof message.data === "string";
    return post.call(this, query ? { ...message, data: message.data.replace(BOUNDARY, " ") } : message, ...rest);
  };
})();
