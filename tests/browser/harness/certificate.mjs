/** A certificate that nobody has signed, for names of the loopback. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @returns {{cert: string, key: string}} the files; gone with this process */
export function makeCertificate() {
  const home = mkdtempSync(join(tmpdir(), "switchboard-certificate-"));
  process.on("exit", () => rmSync(home, { recursive: true, force: true }));
  const [cert, key] = [join(home, "cert.pem"), join(home, "key.pem")];
  execFileSync("openssl", [
    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert,
  ], { stdio: "ignore" });
  return { cert, key };
}
