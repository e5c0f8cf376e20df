// What this page knows of one order. The whole state arrives every time and replaces the one before.

const NOT_VALUES = new Set(["type", "order_id", "timestamp", "version", "changed", "masked", "prev"]);

export class Order {
  #frame;
  version;

  /** `held` is the frame the page was drawn from, or just `{version}` where only that is known. */
  constructor(held = null) {
    this.#frame = held;
    this.version = held?.version ?? -1;
  }

  get frame() {
    return this.#frame;
  }

  /**
   * Take a frame; return {frame, changed, before} or null when it says nothing new.
   *
   * `prev: null` is the first frame of a connection: it is taken even when its version is lower, because then the
   * server has an older database than this page (a restored backup), and the server is right.
   */
  take(frame) {
    if (!Number.isInteger(frame.version)) return null; // a foreign message: it has words, and no state
    if (frame.version === this.version) return null;
    if (frame.version < this.version && frame.prev !== null) return null;
    const before = this.#frame;
    const follows = frame.prev === undefined && frame.version === this.version + 1;
    const changed = follows ? frame.changed : differences(before, frame);
    this.#frame = frame;
    this.version = frame.version;
    return { frame, before, changed };
  }
}

/** Names of the values that differ; none when there is nothing to compare with. */
export function differences(before, after) {
  if (!before || !("masked" in before)) return [];
  return Object.keys(after).filter(
    (name) => !NOT_VALUES.has(name) && JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
}
