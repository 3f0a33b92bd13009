import assert from "node:assert/strict";
import { test } from "node:test";
import { KIND, LONG, startBrowser } from "./harness/browser.mjs";
import { Demo } from "./harness/demo.mjs";
import { startServer } from "./harness/server.mjs";
import { useStage } from "./harness/stage.mjs";

const stage = useStage();

/** Roles whose elements somebody who sees nothing must be able to call by a name. */
const NAMED_ROLES = ["button", "link", "textbox", "radio", "checkbox", "radiogroup", "group", "main", "log", "toolbar", "article", "complementary", "video", "image"];

/** Every node that should have a name and has none. @param {import("puppeteer-core").SerializedAXNode|null} node @returns {string[]} */
function namelessIn(node) {
  if (!node) return [];
  const own = NAMED_ROLES.includes(node.role) && !node.name?.trim() ? [`${node.role} ${JSON.stringify({ ...node, children: undefined })}`] : [];
  return [...own, ...(node.children ?? []).flatMap(namelessIn)];
}

/** Everything in the page that should have a name and has none. @param {Demo} demo @returns {Promise<string[]>} */
async function nameless({ page }) {
  if (KIND === "chromium") return namelessIn(await page.accessibility.snapshot({ interestingOnly: true }));
  // Firefox shows no tree, but finds elements by what they are in it.
  const found = [];
  for (const role of NAMED_ROLES) {
    for (const element of await page.$$(`aria/[name=""][role="${role}"]`)) found.push(`${role} ${await element.evaluate(({ outerHTML }) => outerHTML.slice(0, 200))}`);
  }
  return found;
}

/** Pairs of text and ground whose contrast is under what WCAG asks of body text. @param {Demo} demo */
function faint(demo) {
  return demo.page.evaluate(() => {
    const parse = (colour) => {
      const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
      return { r, g, b, a };
    };
    const light = ({ r, g, b }) => {
      const [x, y, z] = [r, g, b].map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const found = [];
    for (const element of document.querySelectorAll("body *")) {
      const text = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
      // What lies upon a moving picture has a ground of its own that is checked with it; what is disabled is exempt.
      if (!text || !element.checkVisibility() || element.closest(":disabled, video, template, .tile-end, .disc, .hidden")) continue;
      let ground = element;
      while (ground && parse(getComputedStyle(ground).backgroundColor).a < 0.7) ground = ground.parentElement;
      if (!ground) continue;
      const [a, b] = [light(parse(getComputedStyle(element).color)), light(parse(getComputedStyle(ground).backgroundColor))].sort((x, y) => y - x);
      const contrast = (a + 0.05) / (b + 0.05);
      if (contrast < 4.5) found.push(`${element.tagName}.${element.className} "${element.textContent.trim().slice(0, 30)}" ${contrast.toFixed(2)}`);
    }
    return found;
  });
}

test("no page has the browser warn of what it says of itself", async (t) => {
  for (const path of ["/", "/check", "/console"]) {
    const { page } = await stage.page(t);
    const said = [];
    page.on("console", (message) => ["warn", "error"].includes(message.type()) && said.push(message.text()));
    await page.goto(`${stage.url}${path}`, { waitUntil: "load" });
    await page.waitForFunction(() => document.title && document.readyState === "complete");
    assert.deepEqual(said, [], path);
  }
});

test("the page has no errors, breaks no security policy and asks nobody but its own server", async (t) => {
  const room = "clean";
  const ada = await stage.join(t, { room, peer: "ada" });
  const bob = await stage.join(t, { room, peer: "bob", picture: false });
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  await ada.say("hello");
  await bob.hears("hello");
  await bob.press("leave");
  await ada.tile("bob", `[data-state="ended"]`);
  for (const demo of [ada, bob]) {
    assert.deepEqual(demo.errors, []);
    assert.deepEqual(await demo.page.evaluate(() => window.violations), []);
    assert.deepEqual(demo.requests.filter((url) => !url.startsWith(`${stage.url}/`)), []);
  }
});

test("a visitor types a name, starts, copies the link, and leaves again", async (t) => {
  const ada = await stage.page(t);
  await ada.page.goto(`${stage.url}/`);
  await ada.until(`html[data-ready="true"]`);
  const room = await ada.page.$eval(`[data-testid="room"]`, (input) => input.value);
  assert.match(room, /^[a-z]+-[a-z]+-\d{3}$/);
  assert.equal(await ada.page.evaluate(() => location.hash), `#${room}`);
  await ada.page.type(`[data-testid="name"]`, "Ada");
  await ada.press("start");
  await ada.until(`[data-view="call"][data-signaling="open"]`);
  assert.equal(await ada.text("room-name"), room);
  assert.equal(await ada.text("invite-link"), `${stage.url}/#${room}`);
  // It says so for two seconds only, so that the look begins before the press.
  await Promise.all([ada.when(() => document.getElementById("copy-link").innerText.includes("Copied")), ada.press("copy-link")]);
  await ada.page.evaluate(() => document.body.appendChild(document.createElement("textarea")).focus());
  await ada.page.keyboard.down("Control");
  await ada.page.keyboard.press("v");
  await ada.page.keyboard.up("Control");
  assert.equal(await ada.page.$eval("textarea", (area) => area.value), `${stage.url}/#${room}`);

  await ada.press("leave");
  await ada.until(`[data-view="lobby"]`);
  await ada.page.reload();
  await ada.until(`html[data-ready="true"]`);
  // The name is kept; the call is not gone back into, since it was left.
  assert.equal(await ada.page.$eval(`[data-testid="name"]`, (input) => input.value), "Ada");
  assert.equal(await ada.page.evaluate(() => document.documentElement.dataset.view), "lobby");
});

test("the keyboard alone is enough for a whole call", async (t) => {
  const ada = await stage.page(t);
  await ada.page.goto(`${stage.url}/?picture=1#keys`);
  await ada.until(`html[data-ready="true"]`);
  const focusOn = async (testId, { backwards = false } = {}) => {
    for (let presses = 0; presses < 40; presses++) {
      const { focused, name } = await ada.page.evaluate(() => ({ focused: document.activeElement?.dataset.testid, name: document.activeElement?.localName }));
      if (focused === testId) return;
      assert.notEqual(name, "video", "a picture can't be operated, so the Tab key passes it by");
      if (backwards) await ada.page.keyboard.down("Shift");
      await ada.page.keyboard.press("Tab");
      if (backwards) await ada.page.keyboard.up("Shift");
    }
    assert.fail(`forty presses of Tab do not reach ${testId}`);
  };
  await focusOn("name");
  await ada.page.keyboard.type("Ada");
  await focusOn("start-picture");
  await ada.page.keyboard.press("Enter");
  await ada.until(`[data-view="call"][data-signaling="open"]`);
  const bob = await stage.join(t, { room: "keys", peer: "bob" });
  await ada.connectedWith("bob");
  // A browser shows the focus in the window that is in front.
  await ada.page.bringToFront();
  await focusOn("chat-input");
  await ada.page.keyboard.type("without a mouse");
  await ada.page.keyboard.press("Enter");
  await bob.hears("without a mouse");
  // Past the last of its elements the focus would leave the page for the browser's own.
  await focusOn("tile-hangup", { backwards: true });
  assert.notEqual(await ada.page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
  await ada.page.keyboard.press(" ");
  await ada.tile("bob", `[data-state="ended"]`);
  await focusOn("leave");
  await ada.page.keyboard.press("Enter");
  await ada.until(`[data-view="lobby"]`);
  assert.equal(await ada.page.evaluate(() => document.activeElement?.dataset.testid), "start");
});

for (const scheme of ["light", "dark"]) {
  test(`every control has a name and every text enough contrast, in ${scheme}`, async (t) => {
    const room = `names-${scheme}`;
    const { browser, kill } = await startBrowser({ scheme: /** @type {"light"|"dark"} */ (scheme) });
    t.after(() => kill());
    const ada = await Demo.page(browser);
    await ada.page.goto(`${stage.url}/?picture=1&peer=ada&name=Ada#${room}`);
    await ada.until(`html[data-ready="true"]`);
    assert.equal(await ada.page.evaluate((wanted) => matchMedia(`(prefers-color-scheme: ${wanted})`).matches, scheme), true);
    assert.deepEqual(await nameless(ada), []);
    assert.deepEqual(await faint(ada), []);

    await ada.press("start-picture");
    const bob = await stage.join(t, { room, peer: "bob" });
    await ada.connectedWith("bob");
    await bob.say("hello");
    await ada.hears("hello");
    await ada.say("hello yourself");
    assert.deepEqual(await nameless(ada), []);
    assert.deepEqual(await faint(ada), []);

    await bob.press("leave");
    await ada.tile("bob", `[data-state="ended"]`);
    assert.deepEqual(await nameless(ada), []);
    assert.deepEqual(await faint(ada), []);
  });
}

test("nothing is wider than the window, from 360 to 1600 pixels", async (t) => {
  const room = "width";
  const ada = await stage.join(t, { room, peer: "ada" });
  const bob = await stage.join(t, { room, peer: "bob-with-a-long-name-that-does-not-end" });
  await bob.connectedWith("ada");
  for (const width of [360, 390, 520, 768, 900, 901, 1280, 1600]) {
    await ada.page.setViewport({ width, height: 800 });
    // The grid fits its tiles once the page has told it the new size.
    await ada.when((expected) => innerWidth === expected && document.querySelector(".tile").offsetWidth > 100 && document.documentElement.scrollWidth === document.documentElement.clientWidth, width);
  }
});

test("a camera that is refused is told in words, and a drawn picture goes in its place", async (t) => {
  const refusing = await startBrowser({ camera: false });
  t.after(() => refusing.kill());
  const ada = await Demo.page(refusing.browser);
  await ada.page.goto(`${stage.url}/#refused`);
  await ada.until(`html[data-ready="true"]`);
  await ada.press("start");
  await ada.until(`[data-view="call"] #self[data-source="picture"]`);
  assert.match(await ada.text("banner"), /camera was not allowed, so a drawn picture is sent/);
  await ada.press("banner-action");
  assert.equal(await ada.page.$eval("#banner", (banner) => banner.hidden), true);
  assert.equal(await ada.text("mic"), "No mic");
});

test("a full room is told in words, with what to do", async (t) => {
  const small = await startServer("--max-peers-per-room", "1");
  t.after(() => small.stop());
  const ada = await stage.join(t, { room: "small", peer: "ada" }, small.url);
  const bob = await stage.page(t);
  await bob.page.goto(`${small.url}/#small`);
  await bob.until(`html[data-ready="true"]`);
  await bob.press("start-picture");
  await bob.until(`[data-testid="error"]:not([hidden])`);
  assert.equal(await bob.text("error"), "This room is full. Wait until somebody leaves, or choose another room.");
  assert.equal(await bob.page.$eval(`[data-testid="start"]`, (button) => button.disabled), false);
  await ada.press("leave");
  await bob.press("start-picture");
  await bob.until(`[data-view="call"][data-signaling="open"]`);
});

test("whoever is removed by the operator is told so and can join again", async (t) => {
  const operated = await startServer("--operator-token", "operator-of-this-test");
  t.after(() => operated.stop());
  const ada = await stage.join(t, { room: "watched", peer: "ada" }, operated.url);
  const bob = await stage.join(t, { room: "watched", peer: "bob" }, operated.url);
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  const kicked = await fetch(`${operated.url}/rooms/watched/peers/bob?detail=too%20loud`, { method: "DELETE", headers: { authorization: "Bearer operator-of-this-test" } });
  assert.equal(kicked.status, 204);
  await bob.until(`html[data-signaling="ended"]`);
  assert.match(await bob.text("banner"), /The operator removed you from this room\. They said: “too loud”/);
  await ada.tile("bob", `[data-state="ended"][data-reason="kicked"]`);
  assert.equal(await ada.textOnTile("bob", "tile-reason"), "bob was removed by the operator");
  await bob.press("banner-action");
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
});

test("a server that can't be reached is told in words", { skip: LONG }, async (t) => {
  const gone = await startServer();
  const ada = await stage.page(t);
  await ada.page.goto(`${gone.url}/#gone`);
  await ada.until(`html[data-ready="true"]`);
  await gone.stop();
  await ada.press("start-picture");
  await ada.page.waitForSelector(`[data-testid="error"]:not([hidden])`, { timeout: 120_000 });
  assert.match(await ada.text("error"), /server can’t be reached\. Check that you are online, then start again/);
});

test("a browser without WebRTC is told in the lobby that there are no calls in it", async (t) => {
  const ada = await stage.page(t);
  await ada.page.evaluateOnNewDocument(() => delete window.RTCPeerConnection);
  await ada.page.goto(`${stage.url}/?autostart=1&picture=1#without`);
  await ada.until(`html[data-ready="true"][data-view="lobby"]`);
  assert.match(await ada.text("error"), /no WebRTC.*network check/);
  assert.deepEqual(await ada.page.$$eval("#start, #start-picture", (buttons) => buttons.map(({ disabled }) => disabled)), [true, true]);
  assert.deepEqual(ada.errors, []);
});
