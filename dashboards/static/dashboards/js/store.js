// What a page holds: one state for each order, however many topics cover it, and which orders each topic covers.
// No line, no clock, no page. The whole state comes every time and replaces the one before; nothing is merged.

const NOT_VALUES = new Set(["type", "order_id", "timestamp", "version", "changed", "masked", "prev"]);

export class Store {
  #frames = new Map(); // id → the newest frame
  #versions = new Map(); // id → the version that counts for the continuity; none after a change of epoch
  #members = new Map(); // topic → Set of ids

  /** The newest frame of an order; undefined where nothing is held. */
  frame(id) {
    return this.#frames.get(String(id));
  }

  version(id) {
    return this.#versions.get(String(id));
  }

  /** Take a frame that is right; return {id, frame, before, changed}, or null when nothing is new in it. */
  put(frame) {
    const id = String(frame.order_id);
    const before = this.#frames.get(id);
    const follows = frame.prev === undefined && frame.version === this.#versions.get(id) + 1;
    const changed = follows ? frame.changed : differences(before, frame);
    this.#frames.set(id, frame);
    this.#versions.set(id, frame.version);
    const isSame = before?.version === frame.version && changed.length === 0 && String(before.masked) === String(frame.masked);
    return isSame ? null : { id, frame, before, changed };
  }

  /** Take a frame that came on another way, such as the answer to a form; null when it is no newer. */
  offer(frame) {
    const held = this.version(frame.order_id);
    return held !== undefined && frame.version <= held ? null : this.put(frame);
  }

  /** The orders that a topic covers. */
  members(topic) {
    return this.#members.get(topic) ?? new Set();
  }

  add(topic, id) {
    if (!this.#members.has(topic)) this.#members.set(topic, new Set());
    this.#members.get(topic).add(String(id));
  }

  /** Take an order off a topic; its state goes with the last topic that covers it. */
  remove(topic, id) {
    this.#members.get(topic)?.delete(String(id));
    this.#forget(String(id));
  }

  /** Set who a topic's members are; return who came and who left. */
  place(topic, ids) {
    const before = this.members(topic);
    const after = new Set([...ids].map(String));
    const removed = [...before].filter((id) => !after.has(id));
    this.#members.set(topic, after);
    for (const id of removed) this.#forget(id);
    return { added: [...after].filter((id) => !before.has(id)), removed };
  }

  /** Forget a topic, and the states that nothing else covers. */
  end(topic) {
    const members = this.members(topic);
    this.#members.delete(topic);
    for (const id of members) this.#forget(id);
  }

  covers(id) {
    return [...this.#members.values()].some((members) => members.has(String(id)));
  }

  /** {id: version} of a topic's members, for `have`. */
  versions(topic) {
    const held = [...this.members(topic)].filter((id) => this.#versions.has(id));
    return Object.fromEntries(held.map((id) => [id, this.#versions.get(id)]));
  }

  /** Another history begins, or that of one order cannot be followed: states stay to be compared, versions count no more. */
  startAfresh(id) {
    if (id === undefined) this.#versions.clear();
    else this.#versions.delete(String(id));
  }

  /** Forget what no topic covers: states of orders that left before their topic was complete. */
  sweep() {
    for (const id of [...this.#frames.keys()]) this.#forget(id);
  }

  #forget(id) {
    if (this.covers(id)) return;
    this.#frames.delete(id);
    this.#versions.delete(id);
  }
}

/** Names of the values that differ; none when there is nothing to compare with. */
export function differences(before, after) {
  if (!before) return [];
  return Object.keys(after).filter(
    (name) => !NOT_VALUES.has(name) && JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
}
