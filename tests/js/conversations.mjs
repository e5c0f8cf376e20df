// Plays the conversations of wire/ to the client that FRONTEND_INTEGRATION.md shows.
//
//   node tests/js/conversations.mjs <module> <folder of conversations>

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, mock, test } from "node:test";
import { pathToFileURL } from "node:url";

const [module, folder] = process.argv.slice(2);

/** A socket whose other end is the test. */
class Line {
  static all = [];
  sent = [];

  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    Line.all.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {}

  says(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  static get last() {
    return Line.all.at(-1);
  }
}

const page = new EventTarget();
for (const name of ["addEventListener", "removeEventListener"]) globalThis[name] = page[name].bind(page);
globalThis.location = { href: "https://boost.example.org/orders/" };
globalThis.WebSocket = Line;
mock.timers.enable({ apis: ["setTimeout"] });
const { OrderSync } = await import(pathToFileURL(module));

/** One conversation, and the client under test. */
class Play {
  constructor(content) {
    this.content = content;
    this.stops = new Map();
    Line.all = [];
    Play.last = this;
    this.client = new OrderSync();
  }

  /** Bring the client to hold what it holds, as an earlier socket would have. */
  prepare({ epoch, topics, boards, orders }) {
    const names = { ...Object.fromEntries(Object.entries(topics).map(([id, order]) => [id, `order:${order}`])) };
    for (const id of Object.keys(boards)) names[id] = this.wish(id).topic;
    if (!Object.keys(names).length) return;
    for (const [id, topic] of Object.entries(names)) this.subscribe({ ...this.wish(id), id, topic });
    Line.last.says({ type: "welcome", epoch, heartbeat_ms: 25000 });
    for (const [key, values] of Object.entries(orders)) {
      Line.last.says({ type: "order.update", order_id: Number(key), masked: [], ...values });
    }
    for (const id of Object.keys(names)) {
      const members = boards[id] ?? [topics[id]];
      Line.last.says({ type: "synced", id, orders: Object.fromEntries(members.map((order) => [order, 0])) });
    }
    Line.last.sent = [];
    if (this.content.steps.some((step) => step.connects)) this.breaks(1006);
  }

  /** What is asked for under `id` later on. */
  wish(id) {
    const found = this.content.steps.find(({ client }) => client?.type === "subscribe" && client.id === id);
    return found?.client ?? {};
  }

  subscribe({ id, topic, type, have, ...options }) {
    this.stops.set(id, this.client.subscribe(topic, () => {}, { id, ...options }));
  }

  breaks(code) {
    const before = Line.all.length;
    Line.last.onclose({ code });
    mock.timers.tick(40_000);
    assert.equal(Line.all.length, before + 1, "it comes back");
  }

  step({ connects, client, server, closes }) {
    if (connects) assert.deepEqual(Line.last.protocols, ["order-sync.v1"]);
    else if (client) this.said(client);
    else if (server && server.type !== "pong") Line.last.says(server);
    else if (closes) this.breaks(closes);
  }

  /** The client says `frame` by itself, or when its page wishes it. */
  said(frame) {
    if (frame.type === "ping") return; // this client listens for heartbeats
    if (!Line.last.sent.length && frame.type === "subscribe") this.subscribe(frame);
    if (!Line.last.sent.length && frame.type === "unsubscribe") this.stops.get(frame.id)();
    const { have, ...rest } = frame;
    const wanted = have && Object.keys(have.versions).length ? frame : rest;
    assert.deepEqual(Line.last.sent.shift(), wanted);
  }

  holds() {
    const { topics, orders } = this.client;
    const all = [...topics.values()];
    const pick = ({ version, status, message }) => JSON.parse(JSON.stringify({ version, status, message }));
    return {
      topics: Object.fromEntries(all.filter(({ one }) => one).map(({ id, members }) => [id, [...members][0]])),
      boards: Object.fromEntries(all.filter(({ one }) => !one).map(({ id, members }) => [id, [...members].sort()])),
      orders: Object.fromEntries([...orders].map(([key, frame]) => [key, pick(frame)])),
    };
  }
}

afterEach(() => Play.last.client.close());

for (const name of readdirSync(folder)) {
  const content = JSON.parse(readFileSync(join(folder, name)));
  // This client opens the address of all orders.
  if (content.path && content.path !== "/ws/orders/") continue;
  test(`${name}: ${content.about}`, () => {
    const play = new Play(content);
    play.prepare(content.holds);
    for (const step of content.steps) play.step(step);
    const { epoch, ...after } = content.after;
    assert.deepEqual(play.holds(), after);
    assert.deepEqual(Line.last.sent, [], "it said nothing else");
  });
}

test("after two heartbeats without a word it comes back", () => {
  const play = new Play({ steps: [] });
  Line.last.says({ type: "welcome", epoch: "e", heartbeat_ms: 1000 });
  mock.timers.tick(1999);
  assert.equal(Line.all.length, 1);
  mock.timers.tick(1);
  mock.timers.tick(600);
  assert.equal(Line.all.length, 2);
});

test("what is refused for a while is asked for again", () => {
  const play = new Play({ steps: [] });
  Line.last.says({ type: "welcome", epoch: "e", heartbeat_ms: 25000 });
  play.subscribe({ id: "a", topic: "order:12" });
  Line.last.says({ type: "error", id: "a", code: "unavailable", message: "", temporary: true, retry_after_ms: 1000 });
  assert.equal(Line.last.sent.length, 1);
  mock.timers.tick(1001);
  assert.equal(Line.last.sent.length, 2);
});

for (const code of [1000, 1009, 4400, 4401, 4404, 4405]) {
  test(`after ${code} it stays away`, () => {
    const play = new Play({ steps: [] });
    Line.last.onclose({ code });
    mock.timers.tick(120_000);
    assert.equal(Line.all.length, 1);
  });
}
