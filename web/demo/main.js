/** Puts the parts of the demo together: from the lobby into a call, and back. */

import { Banner } from "./banner.js";
import { CallView, metaOf } from "./call.js";
import { Lobby } from "./lobby.js";
import { Meeting } from "./meeting.js";
import { button, element, part } from "./page.js";
import * as settings from "./settings.js";
import { Source } from "./source.js";
import { cameraFailed, joinFailed, keysDiffer } from "./words.js";

const COPIED_MS = 2000;

const root = document.documentElement;
const banner = new Banner();
const lobby = new Lobby({ start: (picture) => void start(picture), hashChanged: () => root.dataset.view === "call" && location.reload() });
const view = new CallView(banner, { leave: () => void leave(), ended, relayOnly: settings.saveRelayOnly });

/** @type {{meeting: Meeting, source: Source, picture: boolean}|null} */
let call = null;

/** @param {boolean} picture */
async function start(picture) {
  if (lobby.cut) return;
  lobby.error = "";
  lobby.busy = true;
  banner.hide();
  const { name, room, key } = lobby;
  settings.saveName(lobby.typedName);
  const { source, problem } = await open(picture, name);
  try {
    const { peer, transport } = settings;
    const meeting = await Meeting.start(settings.server, room, source.stream, { peer, transport, key: key ?? undefined, relayOnly: settings.savedRelayOnly(), meta: metaOf(name, { mic: true, camera: true }) });
    call = { meeting, source, picture };
    // For the browser's console: a developer who tries the demo wants to look inside.
    Object.assign(globalThis, { meeting });
    settings.saveResume({ room, picture });
    lobby.close();
    view.open(meeting, source, { name, transport, link: settings.inviteLink(room, key) });
    const notice = keysDiffer(meeting.differs) || problem;
    if (notice) banner.show(notice, "Understood");
  } catch (error) {
    source.stop();
    back();
    lobby.error = joinFailed(error);
  }
}

/** @param {boolean} picture @param {string} name */
async function open(picture, name) {
  if (picture) return { source: Source.drawn(name), problem: "" };
  try {
    return { source: await Source.camera(name), problem: "" };
  } catch (error) {
    return { source: Source.drawn(name), problem: cameraFailed(error) };
  }
}

async function leave() {
  const left = call?.meeting.leave();
  call?.source.stop();
  call = null;
  settings.saveResume(null);
  banner.hide();
  back();
  button("start").focus();
  // Where the server cannot be told, it notices by itself.
  await left?.catch(() => {});
}

/** The membership is over without this page's doing. @param {boolean} again whether to join anew */
function ended(again) {
  settings.saveResume(null);
  if (!again) return;
  const picture = call?.picture ?? false;
  call?.source.stop();
  call = null;
  void start(picture);
}

function back() {
  view.close();
  root.dataset.view = "lobby";
  delete root.dataset.signaling;
  delete root.dataset.transport;
  lobby.open();
}

/** @param {string} id */
function copies(id) {
  const label = part(button(id), "span");
  button(id).addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(settings.inviteLink(lobby.room, lobby.key));
      label.textContent = "Copied";
    } catch {
      label.textContent = "Copy it from the address";
    }
    setTimeout(() => (label.textContent = "Copy link"), COPIED_MS);
  });
}

copies("copy-link");
copies("copy-invite");
element("curl").textContent = `curl ${settings.server}/`;
lobby.open();

const resume = settings.savedResume();
if (lobby.able && (settings.autostart || resume)) void start(resume?.picture ?? settings.pictureOnly);
root.dataset.ready = "true";
