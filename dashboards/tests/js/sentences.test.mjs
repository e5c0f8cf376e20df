// What people are told: of a change what they can see of it, of a loss why.

import assert from "node:assert/strict";
import { test } from "node:test";

import { freshness, loginAddress, wantsLogin } from "../../static/dashboards/js/freshness.js";
import { endWords, lossWords, newsWords } from "../../static/dashboards/js/sentences.js";

test("a change is told in the service's words, prices with their movement", () => {
  const before = { actual_price: "10.00" };
  const frame = { actual_price: "12.00", message: "A manager has changed the price." };
  assert.equal(newsWords({ frame, before, changed: ["message", "actual_price"] }), "A manager has changed the price. Price 10.00 → 12.00.");
  assert.equal(newsWords({ frame, before, changed: ["note"] }), "New: note");
  assert.equal(newsWords({ frame, before, changed: ["booster_id"] }), "");
});

for (const [loss, words] of [
  [{ shelf: "available", reason: "reassigned" }, /Somebody else has it now, or it was dropped/],
  [{ shelf: "available", reason: "filtered", now: "My orders" }, /under “My orders” now/],
  [{ shelf: "mine", reason: "reassigned" }, /not yours any more/],
  [{ shelf: "mine", reason: "forbidden" }, /not yours any more/],
  [{ shelf: "all", reason: "deleted" }, /deleted/],
  [{ shelf: "all", reason: "filtered", frame: { status: "Paused" }, statuses: ["New"] }, /It is Paused now/],
  [{ shelf: "all", reason: "filtered", frame: { status: "New" }, statuses: ["New"] }, /does not belong to this list/],
  [{ shelf: "all", reason: "filtered" }, /does not belong to this list/],
  [{ shelf: "all", reason: "limit" }, /^$/],
]) {
  test(`who loses an order by ${JSON.stringify(loss)} reads ${words}`, () => assert.match(lossWords(loss), words));
}

test("who may not see an order any more is not told what became of it", () => {
  assert.doesNotMatch(lossWords({ shelf: "mine", reason: "reassigned", frame: { status: "Done", booster_username: "bela" } }), /Done|bela/);
  assert.match(endWords("reassigned"), /no longer yours/);
  assert.match(endWords("deleted"), /deleted/);
});

test("a page that waits says for how long, and one that has ended why", () => {
  assert.deepEqual(Object.values(freshness({ name: "reconnecting", reason: "", verifiedAt: null }, 4)).slice(0, 2), ["Reconnecting", "in 4 s"]);
  assert.equal(freshness({ name: "ended", reason: "your session has ended" }).words, "Ended: your session has ended");
});

test("a live page says up to when it is verified, and no other looks live", () => {
  const at = "2026-11-24T03:18:05.120Z";
  assert.match(freshness({ name: "live", verifiedAt: at }).detail, /^verified \d\d:18:05$/);
  assert.match(freshness({ name: "live", verifiedAt: at }).hint, /2026-11-24 03:18:05 UTC/);
  for (const name of ["connecting", "late", "catching-up", "reconnecting", "ended"]) {
    assert.doesNotMatch(freshness({ name, reason: "", verifiedAt: at }).words, /live/i);
  }
});

test("the log-in is offered where it helps, and comes back to this page", () => {
  assert.ok(wantsLogin({ name: "ended", code: 4405 }));
  assert.ok(wantsLogin({ name: "ended", code: 4401 }));
  assert.ok(!wantsLogin({ name: "ended", code: 4404 }));
  assert.equal(loginAddress("/accounts/login/", { pathname: "/", search: "?status=New&game=x" }), "/accounts/login/?next=%2F%3Fstatus%3DNew%26game%3Dx");
});
