// The rows of a list as the server draws them: fetched when one changes its shape, and now and then in case.

import { parse } from "./parts.js";

const PAUSE = 400; // ms between two looks: what comes together is drawn together
const SPREAD = 100; // ms over which the pages that hear of the same order ask for their rows

export class Rows {
  #lists;
  #onDrawn;
  #onLoggedOut;
  #etag;
  #timer = null;
  #isLooking = false;
  #every = Infinity;
  #lastLook = 0;

  /**
   * `onDrawn(gone)` runs after the rows may have changed; `gone`: [{id, shelf}] of rows that are not there any more.
   * `onLoggedOut()` runs when the server asks for a log-in instead.
   */
  constructor(lists, { onDrawn, onLoggedOut }) {
    this.#lists = lists;
    this.#onDrawn = onDrawn;
    this.#onLoggedOut = onLoggedOut;
    this.#etag = lists.dataset.etag;
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
  }

  of(id) {
    return this.#lists.querySelector(`[data-order="${id}"]`);
  }

  /** The name of the list that an order stands on. */
  shelfOf(id) {
    return this.of(id)?.closest("[data-list]").dataset.list;
  }

  get ids() {
    return [...this.#lists.querySelectorAll("[data-order]")].map((row) => row.dataset.order);
  }

  /** Look once more soon. */
  look() {
    if (this.#every === 0) return;
    this.#after(Math.max(Math.random() * SPREAD, this.#lastLook + PAUSE - Date.now()));
  }

  /** Look every `ms` as well; 0: never again. */
  lookEvery(ms) {
    if (ms === this.#every) return;
    this.#every = ms;
    if (ms === 0 || this.#timer?.isRest) this.#stop();
    if (!this.#isLooking) this.#rest();
  }

  #rest() {
    if (this.#every < Infinity && this.#every > 0) this.#after(this.#every * (0.75 + Math.random() / 2), true);
  }

  #after(ms, isRest = false) {
    const at = Date.now() + ms;
    if (this.#timer !== null && this.#timer.at <= at) return; // it comes sooner anyway
    this.#stop();
    this.#timer = { at, isRest, id: setTimeout(() => this.#look(), ms) };
  }

  #stop() {
    clearTimeout(this.#timer?.id);
    this.#timer = null;
  }

  async #look() {
    this.#timer = null;
    if (this.#isLooking) {
      this.#after(PAUSE);
      return;
    }
    this.#isLooking = true;
    this.#lastLook = Date.now();
    try {
      if (!document.hidden) await this.#fetch();
    } catch {
      // The line or the server is down: the next look finds it up, and the indicator says how things are.
    }
    this.#isLooking = false;
    this.#rest();
  }

  async #fetch() {
    const response = await fetch(this.#lists.dataset.rows + location.search, { headers: { "If-None-Match": this.#etag } });
    if (response.redirected) this.#onLoggedOut();
    if (response.status === 304 || response.redirected || !response.ok) return;
    const fresh = parse(await response.text());
    if (this.#every === 0) return; // the page has ended meanwhile
    this.#etag = response.headers.get("ETag");
    const before = new Map(this.ids.map((id) => [id, this.shelfOf(id)]));
    this.#merge(fresh);
    this.#onDrawn([...before].filter(([id]) => !this.of(id)).map(([id, shelf]) => ({ id, shelf })));
  }

  #merge(fresh) {
    for (const list of fresh.querySelectorAll("[data-list]")) {
      const old = this.#lists.querySelector(`[data-list="${list.dataset.list}"]`);
      if (!old) continue;
      const rows = [...list.children].map((row) => this.#newer(row));
      const same = rows.length === old.children.length && rows.every((row, index) => row === old.children[index]);
      if (!same) old.replaceChildren(...rows);
      old.closest("table").tHead.hidden = rows.length === 0;
    }
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const old = this.#lists.querySelector(`[data-part="${part.dataset.part}"]`);
      if (old && !old.isEqualNode(part)) exchangeLinks(old, part);
    }
  }

  /** The row to show: ours when the socket was quicker than the list, or nothing in it differs. */
  #newer(row) {
    const old = this.of(row.dataset.order);
    if (this.shelfOf(row.dataset.order) !== row.closest("[data-list]").dataset.list) {
      row.setAttribute("data-arrived", "");
      return row;
    }
    const unchanged = Number(old.dataset.version) >= Number(row.dataset.version);
    const sameButtons = old.querySelectorAll("form").length === row.querySelectorAll("form").length;
    return unchanged && sameButtons && !old.hasAttribute("data-lost") ? old : row;
  }
}

/** Put `fresh` in the place of `old`; who stands on a link of it stays there. */
function exchangeLinks(old, fresh) {
  const here = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  old.replaceWith(fresh);
  if (here !== null) fresh.querySelector(`a[href="${CSS.escape(here)}"]`)?.focus();
}
