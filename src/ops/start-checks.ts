import { access, constants, stat } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { dirname } from "node:path";
import type { Milliseconds } from "../domain/instant.ts";
import type { Finding } from "./finding.ts";

/** What is looked at before a start and needs no Redis. Nothing is changed and nothing stays open. */

/** A port that a listener will take. */
export async function judgePort(setting: string, host: string, port: number): Promise<Finding> {
  const check = "port";
  const code = await new Promise<string | undefined>((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
  if (code === undefined) return fine(check, `${setting}: port ${port} on ${host} is free.`);
  if (code === "EADDRINUSE")
    return refuse(
      check,
      `${setting}: port ${port} on ${host} is taken.`,
      "Choose another, or end what listens there. Is it this broker that runs already: `cli doctor --running`.",
    );
  const remedy =
    code === "EACCES"
      ? "Choose a port from 1024 on."
      : "Name an address of this machine, or 0.0.0.0 for all of them.";
  return refuse(check, `${setting}: port ${port} on ${host} cannot be listened on (${code}).`, remedy);
}

/** A file that a setting names. */
export async function judgeFile(setting: string, path: string, secret: boolean): Promise<Finding> {
  const check = "file";
  const code = await access(path, constants.R_OK).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code ?? "unknown",
  );
  if (code !== undefined) {
    const remedy =
      code === "EACCES"
        ? "Let the user that the broker runs as read it."
        : "Put the file there, or correct the setting.";
    return refuse(check, `${setting}: ${path} cannot be read (${code}).`, remedy);
  }
  if (secret && ((await stat(path)).mode & 0o004) !== 0)
    return warn(
      check,
      `${setting}: ${path} holds a secret, and everybody on this machine may read it.`,
      `chmod 0400 ${path}, and give it to the user that the broker runs as.`,
    );
  return fine(check, `${setting}: ${path} can be read.`);
}

/** A file that is written to, whether or not it is there yet. */
export async function judgeWritten(setting: string, path: string): Promise<Finding> {
  const check = "file";
  const there = await access(path).then(
    () => true,
    () => false,
  );
  const code = await access(there ? path : dirname(path), constants.W_OK).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code ?? "unknown",
  );
  return code === undefined
    ? fine(check, `${setting}: ${path} can be written.`)
    : refuse(
        check,
        `${setting}: ${path} cannot be written (${code}).`,
        "Make its folder, and let the user that the broker runs as write there.",
      );
}

/** Somebody has to answer at an address. Nothing is sent. */
export async function judgeReach(setting: string, url: URL, maxMs: Milliseconds): Promise<Finding> {
  const check = "egress";
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const code = await new Promise<string | undefined>((resolve) => {
    const socket = connect({ host, port, timeout: maxMs });
    const end = (word: string | undefined) => {
      socket.destroy();
      resolve(word);
    };
    socket.once("connect", () => end(undefined));
    socket.once("timeout", () => end("ETIMEDOUT"));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? "unknown"));
  });
  return code === undefined
    ? fine(check, `${setting}: ${url.host} takes connections.`)
    : warn(
        check,
        `${setting}: ${url.host} takes no connection (${code}).`,
        "Look at its address, and at the firewalls in between.",
      );
}

export const fine = (check: string, sentence: string): Finding => ({
  ...{ check, ok: true, severity: "warn", sentence },
});
export const warn = (check: string, sentence: string, remedy: string): Finding => ({
  ...{ check, ok: false, severity: "warn", sentence, remedy },
});
export const refuse = (check: string, sentence: string, remedy: string): Finding => ({
  ...{ check, ok: false, severity: "refuse", sentence, remedy },
});
