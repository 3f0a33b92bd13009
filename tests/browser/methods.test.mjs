/** Networks that let GET and POST through and nothing else. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Proxy } from "../client/harness/proxy.mjs";
import { Member } from "./harness/member.mjs";
import { useStage } from "./harness/stage.mjs";

const stage = useStage();

for (const [how, cuts] of [["refused", false], ["swallowed", true]]) {
  test(`a peer comes, renames itself, talks and leaves where DELETE and PATCH are ${how}`, async (t) => {
    const way = await Proxy.start(stage.url, { passes: ["GET", "POST"], cuts });
    t.after(() => way.stop());
    // A page of the server's own, by the bad way, so that no preflight is asked for.
    const ada = await (await stage.page(t, Member)).enter(`${way.url}/livez?`, way.url, { room: how, peer: "ada" });
    const bob = await (await stage.page(t, Member)).enter(`${stage.url}/livez?`, stage.url, { room: how, peer: "bob" });
    await bob.note("peer-updated", "signal", "peer-left");
    await ada.page.evaluate(() => window.meeting.room.setMeta({ name: "Ada" }));
    assert.deepEqual((await bob.noted("peer-updated", "ada")).detail.meta, { name: "Ada" });
    await ada.page.evaluate(() => window.meeting.room.send({ to: "bob", type: "hello", data: 1 }));
    assert.equal((await bob.noted("signal")).detail.data, 1);
    await ada.page.evaluate(() => window.meeting.room.leave());
    assert.deepEqual((await bob.noted("peer-left", "ada")).detail, { peer: "ada", reason: "left" });
    assert.deepEqual([...new Set(way.seen.map(({ method }) => method))].sort(), ["GET", "POST"]);
  });
}
