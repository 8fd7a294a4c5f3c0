import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { ConnectRefused } from "./outbound-reason.ts";

/** Waits until a socket is connected, or its handshake is done. @throws ConnectRefused; the socket is destroyed then */
export function ready(
  socket: Socket | TLSSocket,
  event: "connect" | "secureConnect",
  timeoutMs: number,
): Promise<void> {
  // Stays for good: an error between two owners of a socket must not end the process.
  socket.on("error", () => {});
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new ConnectRefused("connect_timeout"));
    }, timeoutMs);
    const over = (act: () => void) => () => {
      clearTimeout(timer);
      act();
    };
    socket.once(event, over(resolve));
    socket.once("error", (error) => over(() => reject(ConnectRefused.from(error)))());
    socket.once(
      "close",
      over(() => reject(new ConnectRefused("connection_closed"))),
    );
  });
}
