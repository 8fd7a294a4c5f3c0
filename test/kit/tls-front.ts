import { connect } from "node:net";
import { createServer, type TlsOptions } from "node:tls";
import { onTestFinished } from "vitest";
import { type Simulator, startSimulator } from "../../src/simulator/start-simulator.ts";

/** A simulator behind TLS on `localhost`: it speaks plain http itself, and says of itself the address it is reached at. */
export async function simulatorBehindTls(
  certificate: Pick<TlsOptions, "cert" | "key">,
): Promise<{ readonly simulator: Simulator; readonly origin: string }> {
  let simulator: Simulator | undefined;
  const front = createServer(certificate, (socket) => {
    const behind = connect(Number(new URL(simulator!.localOrigin).port), "127.0.0.1");
    for (const [one, other] of [
      [socket, behind],
      [behind, socket],
    ] as const) {
      one.on("error", () => other.destroy());
      one.pipe(other);
    }
  });
  // Who does not believe the certificate hangs up.
  front.on("tlsClientError", () => {});
  const sockets = new Set<{ destroy(): unknown }>();
  front.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const address = front.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const origin = `https://localhost:${address.port}`;
  const started = await startSimulator({ publicOrigin: origin });
  simulator = started;
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => front.close(resolve));
    await started.close();
  });
  return { simulator: started, origin };
}
