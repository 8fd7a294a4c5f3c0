import { type ClientRequestArgs, request } from "node:http";
import { connect as dialTcp, isIP, type Socket } from "node:net";
import { connect as startTls } from "node:tls";
import type { Secret } from "../domain/secret.ts";
import { ConnectRefused } from "./outbound-reason.ts";
import { ready } from "./socket-ready.ts";

/** A proxy that the operator named. Where it stands is his word: no range is closed to it. */
export interface EgressProxy {
  /** `http://[user@]host:port`, or `https://` for TLS to the proxy. */
  readonly url: string;
  readonly password?: Secret | undefined;
}

const HEAD_LIMIT_BYTES = 16 * 1024;

/**
 * Opens a tunnel to `target` (`host:port`) by CONNECT (RFC 9110 §9.3.6). TLS to the server is made inside it, so the
 * proxy sees a name and a port and no more. Credentials go to the proxy alone.
 * @throws ConnectRefused proxy_failed: it could not be reached or spoke no HTTP; proxy_refused: any answer but 2xx
 */
export async function openTunnel(proxy: EgressProxy, target: string, timeoutMs: number): Promise<Socket> {
  const url = new URL(proxy.url);
  const wire = await reach(url, timeoutMs).catch(() => {
    throw new ConnectRefused("proxy_failed");
  });
  const asked: ClientRequestArgs = {
    method: "CONNECT",
    path: target,
    headers: { host: target, ...authorization(url, proxy.password) },
    // Our own socket: neither an agent nor a proxy of the environment has a say.
    createConnection: () => wire,
    maxHeaderSize: HEAD_LIMIT_BYTES,
  };
  return new Promise((resolve, reject) => {
    const refuse = (reason: "proxy_failed" | "proxy_refused" | "connect_timeout") => {
      clearTimeout(timer);
      wire.destroy();
      reject(new ConnectRefused(reason));
    };
    const timer = setTimeout(() => refuse("connect_timeout"), timeoutMs);
    request(asked)
      .on("connect", ({ statusCode = 0 }, _socket, early) => {
        if (statusCode < 200 || statusCode > 299) return refuse("proxy_refused");
        // A TLS server never speaks first: whatever came early is the proxy's.
        if (early.length > 0) return refuse("proxy_failed");
        clearTimeout(timer);
        resolve(wire);
      })
      .on("error", () => refuse("proxy_failed"))
      .end();
  });
}

async function reach(url: URL, timeoutMs: number): Promise<Socket> {
  const secure = url.protocol === "https:";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  const tcp = dialTcp({ host, port, autoSelectFamily: true, noDelay: true, keepAlive: true });
  await ready(tcp, "connect", timeoutMs);
  if (!secure) return tcp;
  const tls = startTls({
    socket: tcp,
    host,
    ...(isIP(host) === 0 && { servername: host }),
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
  });
  await ready(tls, "secureConnect", timeoutMs);
  return tls;
}

/** RFC 7617, as RFC 9110 §11.7.2 has it for proxies. */
function authorization(url: URL, password: Secret | undefined): Record<string, string> {
  if (url.username === "") return {};
  const pair = `${decodeURIComponent(url.username)}:${password?.reveal() ?? ""}`;
  return { "proxy-authorization": `Basic ${Buffer.from(pair).toString("base64")}` };
}
