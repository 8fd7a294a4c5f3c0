import type { Response } from "express";
import type { Answer } from "./answers.ts";
import type { FaultActions } from "./faults.ts";
import type { Pauses } from "./pauses.ts";
import type { LoggedRequest } from "./request-log.ts";

/** What a client was given. */
export type Delivery = Pick<LoggedRequest, "status" | "ended">;

/** Sends the answer as the fault would have it: whole, cut short, or drop by drop. */
export async function sendAnswer(
  pauses: Pauses,
  res: Response,
  answer: Answer,
  todo: FaultActions,
  aborted: AbortSignal,
): Promise<Delivery> {
  const { status } = answer;
  const body = Buffer.from(answer.body, "utf8");
  res.writeHead(status, { "content-length": String(body.length), ...answer.headers });

  if (todo.cut_body_after_bytes !== undefined) {
    await written(res, body.subarray(0, todo.cut_body_after_bytes));
    res.socket?.destroy();
    return { status, ended: "cut" };
  }
  if (todo.drip !== undefined) {
    const { bytes, every_ms } = todo.drip;
    for (let at = 0; at < body.length; at += bytes) {
      await written(res, body.subarray(at, at + bytes));
      const how = await pauses.delay(every_ms, aborted);
      if (how === "aborted") return { status, ended: "aborted_after_acting" };
      if (how === "closing") res.socket?.destroy();
      if (how === "closing") return { status, ended: "cut" };
    }
    res.end();
    return { status, ended: "answered" };
  }
  res.end(body);
  return { status, ended: "answered" };
}

const written = (res: Response, bytes: Buffer): Promise<void> =>
  new Promise((resolve) => {
    // An empty write would call back only with the next one: the headers go out by themselves.
    if (bytes.length === 0) {
      res.flushHeaders();
      setImmediate(resolve);
    } else res.write(bytes, () => resolve());
  });
