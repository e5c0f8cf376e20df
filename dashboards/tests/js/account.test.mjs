// Account data that arrives when the page has lost the order is not shown.

import assert from "node:assert/strict";
import { test } from "node:test";

import { showOnDemand } from "../../static/dashboards/js/account.js";

const ACCOUNT = { login: "carla", password: "hunter2", remarks: "" };

/** A page with a form that asks, and the place where the answer is shown. */
function opened() {
  const value = { dataset: { account: "password" }, textContent: "" };
  const place = { hidden: true, focus() {}, querySelectorAll: () => [value] };
  const form = { dataset: {}, isConnected: true, matches: () => true, getAttribute: () => "/show/", querySelectorAll: () => [] };
  const hears = {};
  const root = {
    dataset: {},
    addEventListener: (name, hear) => (hears[name] = hear),
    querySelector: (what) => (what === "#account-shown" ? place : form),
  };
  globalThis.window = { addEventListener() {} };
  globalThis.FormData = class {};
  showOnDemand(root);
  return { root, place, value, ask: () => hears.submit({ target: form, preventDefault() {} }) };
}

for (const ends of [false, true]) {
  test(`the answer is ${ends ? "not " : ""}shown when the page has ${ends ? "" : "not "}ended meanwhile`, async () => {
    globalThis.setTimeout = () => 0; // nobody waits for the minute to be over
    const { root, place, value, ask } = opened();
    globalThis.fetch = async () => {
      if (ends) root.dataset.ended = "";
      return { ok: true, status: 200, json: async () => ({ account: ACCOUNT }) };
    };
    await ask();
    assert.equal(place.hidden, ends);
    assert.equal(value.textContent, ends ? "" : "hunter2");
  });
}
