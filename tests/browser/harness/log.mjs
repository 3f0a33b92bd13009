/** What a server says at its most talkative, kept in a file of its own and searched for what no log may hold. */

import { closeSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const CHUNK = 1 << 20;
/** What stands over from one piece to the next, so that nothing hides at the seam. */
const SEAM = 4096;

/** What tokens, tickets, access tokens, descriptions and candidates look like, plain or inside of JSON. */
const SECRETS = /sp1\.[\w-]{8}|st1\.[\w-]{8}|\beyJ[\w-]{8}|\bbearer [\w-]{8}|[?&]ticket=|v=0(?:\\r|\r|\\n|\n)|a=(?:fingerprint|ice-ufrag|ice-pwd|candidate|setup):|\bcandidate:\d|"sealed"/i;

export class Log {
  /** @param {string[]} options the command line, whose secrets are looked for too */
  constructor(options = []) {
    this.folder = mkdtempSync(path.join(tmpdir(), "switchboard-log-"));
    this.path = path.join(this.folder, "stderr");
    /** For the child's standard error. A file never makes it wait, whatever this process does. */
    this.fd = openSync(this.path, "a+");
    const given = options.filter((_, n) => /^--(secret|operator-token|turn-secret)$/.test(options[n - 1] ?? ""));
    const words = given.flatMap((value) => value.split(",")).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    this.secrets = words.length > 0 ? new RegExp(`${SECRETS.source}|${words.join("|")}`, "i") : SECRETS;
    process.once("exit", this.#closeAtExit);
  }

  #closeAtExit = () => {
    try {
      this.close();
    } catch (error) {
      console.error(error);
      process.exitCode = 1;
    }
  };

  /** @returns {Generator<string>} all of it, in pieces that overlap */
  *#pieces() {
    const buffer = Buffer.alloc(CHUNK);
    let rest = "";
    for (let at = 0; ; ) {
      const read = readSync(this.fd, buffer, 0, CHUNK, at);
      if (read === 0) return;
      at += read;
      const piece = rest + buffer.toString("latin1", 0, read);
      yield piece;
      rest = piece.slice(-SEAM);
    }
  }

  /** The beginning of it, which says where the server listens. */
  head() {
    return this.#pieces().next().value ?? "";
  }

  /** Ends it, once what writes it has ended. Throws where it holds what it must not, or was not talkative. */
  close() {
    process.off("exit", this.#closeAtExit);
    let traced = false;
    try {
      for (const piece of this.#pieces()) {
        traced ||= piece.includes(" TRACE ");
        const found = this.secrets.exec(piece);
        if (!found) continue;
        const line = piece.slice(piece.lastIndexOf("\n", found.index) + 1).split("\n", 1)[0];
        throw new Error(`the server's log holds what no log may hold (${found[0]}): ${line.slice(0, 300)}`);
      }
      if (!traced) throw new Error("the server was not at its most talkative");
    } finally {
      closeSync(this.fd);
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}
