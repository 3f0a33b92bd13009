/** A page in a call with a picture, by a way to the relay that the test chooses. */

import { Caller } from "./caller.mjs";

export class Relayed extends Caller {
  /**
   * The ICE servers of the room, as far as they are reached that way. @param {"udp"|"tcp"|"tls"} transport
   * @returns {Promise<RTCIceServer[]>}
   */
  servers(transport) {
    return this.page.evaluate((way) => {
      const matches = (url) => (way === "tls" ? url.startsWith("turns:") : url.startsWith("turn:") && url.endsWith(`transport=${way}`));
      const servers = window.meeting.room.iceServers.map((server) => ({ ...server, urls: [server.urls].flat().filter(matches) }));
      return servers.filter(({ urls }) => urls.length > 0);
    }, transport);
  }

  /**
   * Sets up a call with a moving picture. @param {string} peer
   * @param {"udp"|"tcp"|"tls"|null} [transport] null: without a relay; left out: as the room has it
   */
  async callsBy(peer, transport) {
    const relayed = async () => ({ iceServers: await this.servers(transport), iceTransportPolicy: "relay" });
    const rtcConfig = transport === undefined ? {} : transport ? await relayed() : { iceServers: [] };
    await this.page.evaluate(() => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
      document.body.append(canvas);
      const paint = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
      let hue = 0;
      setInterval(() => {
        paint.fillStyle = `hsl(${(hue += 7)} 80% 50%)`;
        paint.fillRect(0, 0, 320, 240);
      }, 40);
      window.picture = canvas.captureStream(25);
    });
    await this.calls(peer, rtcConfig, "picture");
  }

  /** Waits until that many pictures of the other side were decoded. @param {number} count */
  hasSeen(count) {
    return this.when(async (wanted) => {
      const stats = [...(await window.call.pc.getStats()).values()];
      const video = stats.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
      return (video?.framesDecoded ?? 0) >= wanted;
    }, count);
  }

  /**
   * Gathers candidates at the room's relay with a credential. @param {"udp"|"tcp"|"tls"} transport
   * @param {{username: string, credential: string}} credential
   * @returns {Promise<{codes: number[], candidates: number}>}
   */
  async gathers(transport, credential) {
    const iceServers = (await this.servers(transport)).map((server) => ({ ...server, ...credential }));
    return this.page.evaluate(async (servers) => {
      const pc = new RTCPeerConnection({ iceServers: servers, iceTransportPolicy: "relay" });
      const [codes, candidates] = [[], []];
      pc.onicecandidateerror = ({ errorCode }) => codes.push(errorCode);
      pc.createDataChannel("x");
      const done = new Promise((resolve) => {
        pc.onicecandidate = ({ candidate }) => (candidate ? candidate.candidate && candidates.push(candidate) : resolve(undefined));
        setTimeout(resolve, 15_000);
      });
      await pc.setLocalDescription();
      await done;
      pc.close();
      return { codes, candidates: candidates.length };
    }, iceServers);
  }
}
