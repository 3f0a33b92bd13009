/** EventSource over fetch, with the behaviour of browsers that the client relies on. */

export class NodeEventSource extends EventTarget {
  readyState = 0;
  onerror = null;
  #abort = new AbortController();
  #lastEventId = "";
  #retryMs = 3_000;
  #timer;

  constructor(url) {
    super();
    this.url = url;
    void this.#run();
  }

  close() {
    this.readyState = 2;
    clearTimeout(this.#timer);
    this.#abort.abort();
  }

  async #run() {
    try {
      const response = await fetch(this.url, {
        headers: { Accept: "text/event-stream", ...(this.#lastEventId ? { "Last-Event-ID": this.#lastEventId } : {}) },
        signal: this.#abort.signal,
      });
      if (response.status !== 200 || !response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
        await response.body?.cancel();
        return this.#fail(2);
      }
      this.readyState = 1;
      await this.#read(response.body);
    } catch {
      // A cut connection is as good as an end.
    }
    if (this.readyState === 2) return;
    this.#fail(0);
    if (this.readyState !== 2) this.#timer = setTimeout(() => this.#run(), this.#retryMs);
  }

  async #read(body) {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of body) {
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        if (this.readyState === 2) return;
        this.#block(block);
      }
    }
  }

  #block(block) {
    let type = "message";
    const data = [];
    for (const line of block.split("\n")) {
      const [, field, value] = line.match(/^([^:]*):? ?(.*)$/s);
      if (field === "event") type = value;
      else if (field === "data") data.push(value);
      else if (field === "id") this.#lastEventId = value;
      else if (field === "retry") this.#retryMs = Number(value);
    }
    if (data.length > 0) this.dispatchEvent(new MessageEvent(type, { data: data.join("\n"), lastEventId: this.#lastEventId }));
  }

  #fail(readyState) {
    if (this.readyState === 2) return;
    this.readyState = readyState;
    this.onerror?.(new Event("error"));
  }
}
