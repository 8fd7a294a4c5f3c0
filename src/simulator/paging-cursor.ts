import { createHash } from "node:crypto";
import { ApiRefusal } from "./api-refusal.ts";

/** Opaque to clients: a place, and a digest of the question it belongs to. */
export const sealCursor = (place: string, question: string): string =>
  Buffer.from(JSON.stringify([place, digest(question)])).toString("base64url");

export function openCursor(cursor: string, question: string): string {
  try {
    const [place, of] = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    if (typeof place === "string" && of === digest(question)) return place;
  } catch {
    // Not one of ours: refused below, like one of another question.
  }
  throw new ApiRefusal(400, "NRC_INVALID_CURSOR", "The cursor does not belong to this request.", "cursor");
}

const digest = (text: string): string => createHash("sha256").update(text).digest("base64url").slice(0, 12);
