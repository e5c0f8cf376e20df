// One order over one socket, the plain dialect: open the address and read. No dependency, no page.
//
//   const socket = new OrderSocket(orderAddress(12), { onFrame: (frame) => …, onState: (state) => … });
//   socket.open();
//
// onFrame gets each parsed frame. onState gets {name, reason, seconds}; name is one of
//   connecting   the first attempt is under way
//   live         the server has sent something on this connection
//   reconnecting the line broke; the next attempt is in `seconds`
//   ended        for good; `reason` says why, in words for a person

// Close codes after which nothing would be different next time.
const FINAL = {
  1000: "closed",
  1009: "this page sent something too big: reload it",
  4400: "this page and the server do not understand each other: reload it",
  4401: "you are not logged in",
  4404: "this order is no longer yours to see",
  4405: "your session has ended: log in again",
};
// Close codes that ask for patience, with the shortest wait in seconds.
const PATIENCE = { 1013: 5, 4429: 5 };

const BASE = 0.5; // seconds
const CAP = 30;

/** Full jitter: random(0, min(cap, base · 2^n)), but at least what the close code asks for. */
export function waitBefore(attempt, code, random = Math.random) {
  return (PATIENCE[code] ?? 0) + random() * Math.min(CAP, BASE * 2 ** attempt);
}

/** The socket address of an order on this site. */
export function orderAddress(id, base = location.href) {
  const url = new URL(`/ws/orders/${id}/`, base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

export class OrderSocket {
  #url;
  #onFrame;
  #onState;
  #socket = null;
  #timer = null;
  #spoke = false;
  #ended = false;
  #wakeUp = () => this.#retryNow();

  /** What this socket has been through, for a page that shows it and for tests. */
  counts = { attempts: 0, connections: 0, frames: 0, unreadable: 0 };
  failures = 0; // in a row; a frame ends the row

  constructor(url, { onFrame, onState = () => {} }) {
    this.#url = url;
    this.#onFrame = onFrame;
    this.#onState = onState;
  }

  open() {
    addEventListener("online", this.#wakeUp);
    addEventListener("pageshow", this.#wakeUp);
    document.addEventListener("visibilitychange", this.#wakeUp);
    this.#onState({ name: "connecting", reason: "", seconds: 0 });
    this.#connect();
  }

  /** Stop for good, by the page's own wish. */
  close() {
    this.#end("closed");
    this.#socket?.close(1000);
  }

  #connect() {
    this.counts.attempts += 1;
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#spoke = false;
    socket.onmessage = (event) => this.#heard(event.data);
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#closed(event.code);
    };
  }

  #heard(text) {
    if (this.#ended) return;
    // A connection counts as made when it speaks: a refused one is accepted first, to be closed with its code.
    if (!this.#spoke) {
      this.#spoke = true;
      this.counts.connections += 1;
      this.failures = 0;
      this.#onState({ name: "live", reason: "", seconds: 0 });
    }
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      this.counts.unreadable += 1;
      return;
    }
    this.counts.frames += 1;
    this.#onFrame(frame);
  }

  #closed(code) {
    this.#socket = null;
    if (this.#ended) return;
    if (code in FINAL) {
      this.#end(FINAL[code], code);
      return;
    }
    const seconds = waitBefore(this.failures, code);
    this.failures += 1;
    this.#onState({ name: "reconnecting", reason: "", seconds });
    this.#timer = setTimeout(() => this.#retry(), seconds * 1000);
  }

  #retry() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#connect();
  }

  #retryNow() {
    // The network is back, or somebody looks again: no reason to wait any longer.
    if (this.#timer !== null && !document.hidden && navigator.onLine) this.#retry();
  }

  #end(reason, code = 1000) {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    removeEventListener("online", this.#wakeUp);
    removeEventListener("pageshow", this.#wakeUp);
    document.removeEventListener("visibilitychange", this.#wakeUp);
    this.#onState({ name: "ended", reason, seconds: 0, code });
  }
}
