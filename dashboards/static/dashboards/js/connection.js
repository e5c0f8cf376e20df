// One line to the server that comes back by itself: after which close code, how soon, and when it gives up.
// It knows frames only as far as they speak of the line: welcome, ping, goodbye.

// Close codes after which nothing would be different next time, in words for a person.
export const FINAL = {
  1000: "closed",
  1009: "this page sent something too big: reload it",
  4400: "this page and the server do not understand each other: reload it",
  4401: "you are not logged in",
  4404: "this is no longer yours to see",
  4405: "your session has ended",
};
// Close codes that ask for patience, with the shortest wait in seconds.
const PATIENCE = { 1013: 5, 4429: 5 };

const BASE = 0.5; // seconds
const CAP = 30;
const HEARTBEAT = 25_000; // ms, until the server says its own
const TICK = 5000; // ms between two looks at the clock, which goes on while a machine sleeps and its timers do not
const PROBE = 5000; // ms in which a line that may be dead has to answer
const SILENT = 4408;

/** Seconds to wait: what the server asked for, and full jitter, random(0, min(cap, base · 2^n)), on top. */
export function waitBefore(attempt, { code, retryAfter = 0 }, random = Math.random) {
  return (retryAfter || (PATIENCE[code] ?? 0)) + random() * Math.min(CAP, BASE * 2 ** attempt);
}

/**
 * `onFrame(frame)` gets each frame; `onLost()` comes when a line that stood has gone; `onState({name, reason, code,
 * seconds})` says how things are:
 *   connecting   the first attempt is under way
 *   open         the server has said welcome on this line
 *   reconnecting the line broke; the next attempt is in `seconds`
 *   ended        for good, because of `code`; `reason` is in words for a person
 */
export class Connection {
  #url;
  #protocol;
  #told;
  #around;
  #socket = null;
  #timer = null; // of the next attempt
  #probe = null;
  #tick = null;
  #heardAt = 0;
  #heartbeat = HEARTBEAT;
  #goodbye = null;
  #ended = false;
  #sleepOn = () => {};

  /** What this line has been through, for tests and for who looks into the page. */
  counts = { attempts: 0, connections: 0, frames: 0, unreadable: 0, silences: 0 };
  failures = 0; // in a row; a welcome ends the row

  /** `around`: {WebSocket, onWake, random, now}; a browser's own by default. */
  constructor(url, protocol, told, around) {
    this.#url = url;
    this.#protocol = protocol;
    this.#told = told;
    this.#around = { WebSocket: globalThis.WebSocket, onWake: () => () => {}, random: Math.random, now: Date.now, ...around };
  }

  open() {
    this.#sleepOn = this.#around.onWake(() => this.#wakeUp());
    this.#tick = setInterval(() => this.#lookAtTheClock(), TICK);
    this.#told.onState({ name: "connecting", reason: "", seconds: 0 });
    this.#connect();
  }

  /** Stop for good, by the page's own wish. */
  close() {
    const socket = this.#socket;
    this.#end(1000, FINAL[1000]);
    socket?.close(1000);
  }

  say(frame) {
    this.#socket?.send(JSON.stringify(frame));
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.counts.attempts += 1;
    this.#goodbye = null;
    this.#heardAt = this.#around.now();
    const socket = new this.#around.WebSocket(this.#url, [this.#protocol]);
    this.#socket = socket;
    // What a line that was given up still says or does is nobody's business.
    socket.onmessage = (event) => socket === this.#socket && this.#heard(event.data);
    socket.onclose = (event) => socket === this.#socket && this.#closed(event.code);
  }

  #heard(text) {
    this.#heardAt = this.#around.now();
    clearTimeout(this.#probe);
    this.#probe = null;
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      this.counts.unreadable += 1;
      return;
    }
    this.counts.frames += 1;
    // A line counts as made with its welcome: a refused one is accepted first, to be closed with its code.
    if (frame.type === "welcome") {
      this.counts.connections += 1;
      this.failures = 0;
      this.#heartbeat = frame.heartbeat_ms ?? HEARTBEAT;
      this.#told.onState({ name: "open", reason: "", seconds: 0 });
    }
    if (frame.type === "goodbye") this.#goodbye = frame;
    this.#told.onFrame(frame);
  }

  #closed(code) {
    const goodbye = this.#goodbye;
    if (code in FINAL) {
      this.#end(code, FINAL[code]);
      return;
    }
    if (goodbye?.reconnect === false && goodbye.code === code) {
      this.#end(code, goodbye.reason);
      return;
    }
    this.#forget();
    const seconds = waitBefore(this.failures, { code, retryAfter: (goodbye?.retry_after_ms ?? 0) / 1000 }, this.#around.random);
    this.failures += 1;
    this.#timer = setTimeout(() => this.#connect(), seconds * 1000);
    this.#told.onState({ name: "reconnecting", reason: "", seconds, code });
  }

  /** Nothing more comes from this socket, whatever it does. */
  #forget() {
    clearTimeout(this.#probe);
    this.#probe = null;
    if (this.#socket === null) return;
    this.#socket = null;
    this.#told.onLost();
  }

  /** Leave a line on which nothing was heard for two heartbeats: a live one says something with each. */
  #lookAtTheClock() {
    if (this.#socket !== null && this.#around.now() - this.#heardAt > 2 * this.#heartbeat) this.#leaveSilence();
  }

  #leaveSilence() {
    const dead = this.#socket;
    if (dead === null) return;
    this.counts.silences += 1;
    this.#closed(SILENT);
    dead.close(); // the browser may wait long for an answer to this; we do not
  }

  #wakeUp() {
    if (this.#timer !== null) {
      this.#connect();
      return;
    }
    // A line may have died with the network before, or with the machine's sleep: it has to prove that it lives.
    if (this.#socket?.readyState !== 1 || this.#probe !== null || this.#around.now() - this.#heardAt < PROBE) return;
    this.say({ type: "ping", n: this.counts.frames });
    this.#probe = setTimeout(() => this.#leaveSilence(), PROBE);
  }

  #end(code, reason) {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#timer = null;
    clearInterval(this.#tick);
    this.#sleepOn();
    this.#forget();
    this.#told.onState({ name: "ended", reason, seconds: 0, code });
  }
}
