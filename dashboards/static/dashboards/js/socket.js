// The one socket of a page: a line that comes back, a session that goes on over it, a store that both fill.
// No dependency, no page.
//
//   const socket = new OrderSocket({ onNews: (news) => …, onState: (state) => … });
//   socket.subscribe("order", { topic: "order:12" });
//   socket.open();
//
// onNews gets what session.js lists. onState gets {name, reason, code, seconds, verifiedAt}; name is one of
//   connecting    the first attempt, until everything has been answered
//   live          everything that was asked for is here, and newer versions come by themselves
//   late          the line stands, but the server has not been able to look into its database for a while
//   catching-up   back on the line, what was missed is under way
//   reconnecting  the line broke; the next attempt is in `seconds`
//   ended         for good; `reason` says why, in words for a person

import { Connection } from "./connection.js";
import { PROTOCOL, Session } from "./session.js";
import { Store } from "./store.js";
import { onWake } from "./wake.js";

const LATE = 30_000; // ms between what is verified and now, by the server's clocks; usually 1 to 2 s

/** The address of this site's sync socket. */
export function syncAddress(base = location.href) {
  const url = new URL("/ws/orders/", base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** Whether a heartbeat says that the server itself does not know how far it is. */
export function isLate({ at, serverTime }) {
  return at === null || Date.parse(serverTime) - Date.parse(at) > LATE;
}

export class OrderSocket {
  #connection;
  #session;
  #onNews;
  #onState;
  #line = { name: "connecting", reason: "", seconds: 0 };
  #verifiedAt = null;
  #isLate = false;
  #wasInStep = false;
  #timers = new Set();

  /** `around` is for tests: see Connection. */
  constructor({ store = new Store(), address = syncAddress(), onNews, onState = () => {}, around = { onWake } }) {
    this.store = store;
    this.#session = new Session(store);
    this.#onNews = onNews;
    this.#onState = onState;
    const told = {
      onFrame: (frame) => this.#perform(this.#session.hear(frame)),
      onLost: () => this.#lost(),
      onState: (state) => this.#say(state),
    };
    this.#connection = new Connection(address, PROTOCOL, told, around);
  }

  get counts() {
    return { ...this.#connection.counts, gaps: this.#session.gaps };
  }

  open() {
    this.#connection.open();
  }

  close() {
    this.#connection.close();
  }

  /** Want a topic under `name`: {topic: "orders:mine", filter, limit}. It comes back after every break. */
  subscribe(name, wanted) {
    this.#perform(this.#session.subscribe(name, wanted));
  }

  unsubscribe(name) {
    this.#perform(this.#session.unsubscribe(name));
  }

  has(name) {
    return this.#session.has(name);
  }

  isSynced(name) {
    return this.#session.isSynced(name);
  }

  #perform({ say, again, news }) {
    for (const frame of say) this.#connection.say(frame);
    for (const { name, ms } of again) this.#askIn(name, ms);
    for (const one of news) {
      if (one.kind === "verified") this.#verify(one);
      this.#onNews(one);
    }
    if (say.length + again.length + news.length > 0) this.#say(this.#line);
  }

  #askIn(name, ms) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#perform(this.#session.ask(name));
    }, ms);
    this.#timers.add(timer);
  }

  #verify(heartbeat) {
    this.#verifiedAt = heartbeat.at ?? this.#verifiedAt;
    this.#isLate = isLate(heartbeat);
  }

  #lost() {
    this.#session.lost();
    this.#isLate = false; // the next connection reads the database before it says that it is complete
    for (const timer of this.#timers) clearTimeout(timer); // the next welcome asks for everything
    this.#timers.clear();
  }

  #say(line) {
    this.#line = line;
    this.#onState({ ...line, name: this.#name(), verifiedAt: this.#verifiedAt });
  }

  #name() {
    if (this.#line.name !== "open") return this.#line.name;
    if (!this.#session.isInStep) return this.#wasInStep ? "catching-up" : "connecting";
    this.#wasInStep = true;
    return this.#isLate ? "late" : "live";
  }
}
