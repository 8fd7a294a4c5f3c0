import { randomBytes } from "node:crypto";
import { join } from "node:path";
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from "express";
import { type Broker, BrokerProblem } from "./broker.ts";
import type { LibraryCopy, Matter } from "./library-copy.ts";
import {
  checklistPage,
  connectPage,
  type Review,
  type Standing,
  type Surroundings,
  sentencePage,
  type Viewer,
} from "./pages.ts";
import type { Visibility } from "./visibility.ts";

export interface AppParts {
  readonly broker: Broker;
  readonly server: string;
  /** Registered at the broker as a return URL of this client. */
  readonly returnUrl: string;
  readonly viewers: readonly [Viewer, ...Viewer[]];
  readonly copy: LibraryCopy;
  readonly visibility: Visibility;
  readonly standing: () => Standing;
  /** Calls whenever a page would look different now. Answers how to stop that. */
  readonly onNews: (tell: () => void) => () => void;
}

const CONNECT = ["authorization_required", "reauthorization_required"];
const HEARTBEAT_MS = 25_000;

export function buildApp(parts: AppParts): Express {
  const { broker, copy, visibility } = parts;
  const sessions = new Sessions(parts.viewers);
  const reviews = new Map<string, Review>();
  /** Sign-ins at iManage, and the session that began each: who finishes must be who started. */
  const connecting = new Map<string, string>();

  const around = (viewer: Viewer): Surroundings => ({
    viewer,
    viewers: parts.viewers,
    standing: parts.standing(),
  });

  const app = express();
  app.disable("x-powered-by");
  app.use((_request, response, next) => {
    response.set({
      "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'",
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    });
    next();
  });
  app.use(express.urlencoded({ extended: false, limit: "10kb" }));
  for (const file of ["live.mjs", "style.css"])
    app.get(`/${file}`, (_request, response) => response.sendFile(join(import.meta.dirname, file)));

  app.get("/", async (request, response) => {
    const { viewer } = sessions.of(request, response);
    const matters: Matter[] = [];
    for (const matter of copy.matters()) {
      const documents = await visibility.visibleTo(viewer.id, matter.documents);
      // The name of a matter is as confidential as its documents.
      if (documents.length > 0) matters.push({ ...matter, documents });
    }
    const shown = matters.find(({ id }) => id === request.query.matter) ?? matters[0];
    response.send(checklistPage({ ...around(viewer), matters, shown, reviews }));
  });

  app.post("/reviews", async (request, response) => {
    const { viewer } = sessions.of(request, response);
    const { document: id = "", of = "" } = request.body as Record<string, string>;
    const document = copy.find(id);
    const [seen] = document === undefined ? [] : await visibility.visibleTo(viewer.id, [document]);
    if (seen === undefined) return void response.status(404).send("There is no such document.");
    // Of the version that was on his screen, which may not be the latest any more.
    if (reviews.get(id)?.of === of) reviews.delete(id);
    else reviews.set(id, { by: viewer.name, of });
    copy.emit("changed", [id]);
    response.redirect(303, `/?matter=${encodeURIComponent(seen.workspace_id ?? "")}`);
  });

  app.post("/viewer", (request, response) => {
    sessions.switchTo(request, response, String((request.body as { viewer?: string }).viewer));
    response.redirect(303, "/");
  });

  app.post("/connect", async (request, response) => {
    const { id, viewer } = sessions.of(request, response);
    const session = await broker.ask<{ id: string; start_url: string }>("POST", "/v1/connect-sessions", {
      body: { server: parts.server, subject: { type: "user", id: viewer.id }, return_url: parts.returnUrl },
    });
    connecting.set(session.id, id);
    response.redirect(303, session.start_url);
  });

  app.get(new URL(parts.returnUrl).pathname, async (request, response) => {
    const { id, viewer } = sessions.of(request, response);
    const { connect_session: session = "", completion = "" } = request.query as Record<string, string>;
    if (connecting.get(session) !== id) return void response.redirect(303, "/");
    connecting.delete(session);
    await broker.ask("POST", `/v1/connect-sessions/${session}/complete`, {
      body: { completion, subject: { type: "user", id: viewer.id } },
    });
    visibility.forgetPerson(viewer.id);
    response.redirect(303, "/");
  });

  app.get("/live", (request, response) => live(parts, request, response));

  app.use(problems((request, response) => around(sessions.of(request, response).viewer)));
  return app;
}

/** Tells the browser to look again, and nothing else: what it then gets to see goes through the same door as ever. */
function live({ onNews }: AppParts, request: Request, response: Response): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const tell = () => void response.write("data: look\n\n");
  const stop = onNews(tell);
  const heartbeat = setInterval(() => void response.write(":\n\n"), HEARTBEAT_MS);
  request.once("close", () => {
    stop();
    clearInterval(heartbeat);
  });
  tell();
}

function problems(around: (request: Request, response: Response) => Surroundings): ErrorRequestHandler {
  return (error, request, response, next) => {
    if (response.headersSent) return next(error);
    const of = around(request, response);
    if (error instanceof BrokerProblem && CONNECT.includes(error.code))
      return void response.send(connectPage(of, error.message));
    if (error instanceof BrokerProblem)
      return void response.status(503).send(sentencePage(of, error.message, error.action));
    console.error(error);
    response.status(502).send(sentencePage(of, "Not now", "The broker or iManage does not answer."));
  };
}

/**
 * Who sits at the browser, by a cookie that other sites' forms do not bring along (SameSite). Here everybody may be anybody, so that two people's views can be compared; in your app this is
 * your own sign-in, and the only thing the broker believes you about.
 */
class Sessions {
  readonly #viewers: AppParts["viewers"];
  readonly #viewerOf = new Map<string, Viewer>();

  constructor(viewers: AppParts["viewers"]) {
    this.#viewers = viewers;
  }

  of(request: Request, response: Response): { readonly id: string; readonly viewer: Viewer } {
    const id = /(?:^|;\s*)checklist=([\w-]{22})/.exec(request.headers.cookie ?? "")?.[1] ?? "";
    const viewer = this.#viewerOf.get(id);
    return viewer === undefined ? this.#begin(response, this.#viewers[0]) : { id, viewer };
  }

  switchTo(request: Request, response: Response, person: string): void {
    const viewer = this.#viewers.find(({ id }) => id === person) ?? this.of(request, response).viewer;
    this.#begin(response, viewer);
  }

  #begin(response: Response, viewer: Viewer) {
    const id = randomBytes(16).toString("base64url");
    this.#viewerOf.set(id, viewer);
    response.cookie("checklist", id, { httpOnly: true, sameSite: "lax" });
    return { id, viewer };
  }
}
