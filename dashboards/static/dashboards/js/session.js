// The client's side of the sync dialect, without a line, a clock or a page: frames go in; what to say, what to ask
// again and what is new come out. The rules are in docs/reference/protocol.md.

export const PROTOCOL = "order-sync.v1";

const HAVE_AT_MOST = 2000; // cursors that a server takes
const PAUSE = 1000; // ms before a topic is asked again that did not come as it should

/**
 * What to do with a frame where version `held` is there (undefined: nothing): "apply", "ignore", or "resubscribe".
 *
 * `prev: null` is taken as it is: after a restored backup the server may be behind this page, and it is right.
 */
export function decide(held, { version, prev }) {
  if (held === undefined || prev === null) return "apply";
  if (version <= held) return "ignore";
  return (prev ?? version - 1) <= held ? "apply" : "resubscribe";
}

const nothing = () => ({ say: [], again: [], news: [] });

/**
 * The topics of one page over all its connections. A topic has a name, which the page chooses and the store knows its
 * members by; on the wire it has a new id each time that it is asked for.
 *
 * Every method that moves something returns {say, again, news}: frames to send; names to `ask` for in `ms`; and news:
 *   {kind: "order", id, frame, before, changed}      a newer state
 *   {kind: "synced", name, added, removed}           complete; what came and left while the page was away
 *   {kind: "board", name, added, removed}            removed: [{id, reason, frame}], frame being the last one seen
 *   {kind: "ended", name, code, reason}              this topic will not come back
 *   {kind: "verified", at, serverTime}               up to when the server vouches that all is here
 */
export class Session {
  #store;
  #topics = new Map(); // name → {name, wanted, id, isSynced}
  #epoch = null;
  #isWelcome = false;
  #number = 0;

  /** How often continuity broke: 0 with a server that does what it promises. */
  gaps = 0;

  constructor(store) {
    this.#store = store;
  }

  /** Whether everything asked for has been answered completely on this connection. */
  get isInStep() {
    return this.#isWelcome && [...this.#topics.values()].every((topic) => topic.isSynced);
  }

  has(name) {
    return this.#topics.has(name);
  }

  isSynced(name) {
    return this.#topics.get(name)?.isSynced ?? false;
  }

  /** Want `topic` ("order:12", "orders:mine") with `filter` and `limit` under `name`. */
  subscribe(name, wanted) {
    this.#topics.set(name, { name, wanted, id: null, isSynced: false });
    return this.ask(name);
  }

  unsubscribe(name) {
    const topic = this.#topics.get(name);
    if (!topic) return nothing();
    this.#topics.delete(name);
    this.#store.end(name);
    return { ...nothing(), say: topic.id ? [{ type: "unsubscribe", id: topic.id }] : [] };
  }

  /** Ask for a topic, with what is held of it; once more where it was asked for already. */
  ask(name) {
    const topic = this.#topics.get(name);
    if (!topic || !this.#isWelcome) return nothing();
    const say = topic.id ? [{ type: "unsubscribe", id: topic.id }] : [];
    this.#number += 1;
    topic.id = `${this.#number}:${topic.wanted.topic}`.slice(0, 64);
    topic.isSynced = false;
    const versions = this.#store.versions(name);
    const count = Object.keys(versions).length;
    const have = count > 0 && count <= HAVE_AT_MOST ? { have: { epoch: this.#epoch, versions } } : {};
    return { ...nothing(), say: [...say, { type: "subscribe", id: topic.id, ...topic.wanted, ...have }] };
  }

  /** The line is gone. What is held stays: the next connection says so and gets what was missed. */
  lost() {
    this.#isWelcome = false;
    for (const topic of this.#topics.values()) Object.assign(topic, { id: null, isSynced: false });
  }

  /** Take a frame of the server; types that are not known are ignored. */
  hear(frame) {
    if (frame.type === "welcome") return this.#welcomed(frame);
    if (frame.type === "order.update") return this.#updated(frame);
    if (frame.type === "heartbeat") {
      return { ...nothing(), news: [{ kind: "verified", at: frame.verified_at, serverTime: frame.server_time }] };
    }
    const topic = [...this.#topics.values()].find(({ id }) => id !== null && id === frame.id);
    if (!topic) return nothing(); // of a topic that was given up meanwhile
    if (frame.type === "synced") return this.#synced(topic, frame);
    if (frame.type === "board") return this.#moved(topic, frame);
    if (frame.type === "revoked") return this.#ended(topic, "revoked", frame.reason);
    if (frame.type === "error") return this.#refused(topic, frame);
    return nothing();
  }

  #welcomed({ epoch }) {
    // Versions of another history say nothing about this one.
    if (epoch !== this.#epoch) this.#store.startAfresh();
    this.#epoch = epoch;
    this.#isWelcome = true;
    return together([...this.#topics.keys()].map((name) => this.ask(name)));
  }

  #updated(frame) {
    const doing = decide(this.#store.version(frame.order_id), frame);
    if (doing === "ignore") return nothing();
    if (doing === "resubscribe") {
      this.gaps += 1;
      return together(this.#covering(frame.order_id).map((name) => this.ask(name)));
    }
    const news = this.#store.put(frame);
    return { ...nothing(), news: news ? [{ kind: "order", ...news }] : [] };
  }

  #covering(id) {
    return [...this.#topics.keys()].filter((name) => this.#store.members(name).has(String(id)));
  }

  #synced(topic, { orders }) {
    topic.isSynced = true;
    const seen = new Map([...this.#store.members(topic.name)].map((id) => [id, this.#store.frame(id)]));
    const { added, removed } = this.#store.place(topic.name, Object.keys(orders));
    const gone = removed.map((id) => ({ id, reason: "forbidden", frame: seen.get(id) }));
    const answer = { ...nothing(), news: [{ kind: "synced", name: topic.name, added, removed: gone }] };
    const missing = Object.keys(orders).filter((id) => !(this.#store.version(id) >= orders[id]));
    if (missing.length === 0) {
      if (this.isInStep) this.#store.sweep();
      return answer;
    }
    this.gaps += 1;
    topic.isSynced = false;
    for (const id of missing) this.#store.startAfresh(id);
    return { ...answer, again: [{ name: topic.name, ms: PAUSE }] };
  }

  #moved(topic, frame) {
    const added = frame.added.map(String);
    for (const id of added) this.#store.add(topic.name, id);
    const removed = frame.removed.map(({ order_id: key, reason }) => ({ id: String(key), reason, frame: this.#store.frame(key) }));
    for (const { id } of removed) this.#store.remove(topic.name, id);
    return { ...nothing(), news: [{ kind: "board", name: topic.name, added, removed }] };
  }

  #ended(topic, code, reason) {
    this.#topics.delete(topic.name);
    this.#store.end(topic.name);
    return { ...nothing(), news: [{ kind: "ended", name: topic.name, code, reason }] };
  }

  #refused(topic, frame) {
    topic.id = null;
    topic.isSynced = false;
    if (frame.temporary) return { ...nothing(), again: [{ name: topic.name, ms: frame.retry_after_ms ?? PAUSE }] };
    return this.#ended(topic, frame.code, frame.message);
  }
}

function together(answers) {
  return {
    say: answers.flatMap(({ say }) => say),
    again: answers.flatMap(({ again }) => again),
    news: answers.flatMap(({ news }) => news),
  };
}
