import type express from "express";
import type { Request, Router } from "express";
import { z } from "zod";
import { editSchema } from "./edits.ts";
import type { Simulator } from "./simulator-handle.ts";

const editsSchema = z.strictObject({ library: z.string(), edits: z.array(z.unknown()).max(100_000) });

/** What happens in libraries, for another process. */
export function contentRoutes(
  router: Router,
  simulator: Simulator,
  route: (act: (req: Request) => unknown) => express.RequestHandler,
): void {
  router.get(
    "/documents",
    route(({ query: { library, user, container, offset, limit } }) =>
      simulator.documents(String(library ?? ""), {
        ...(user !== undefined && { user: String(user) }),
        ...(container !== undefined && { container: String(container) }),
        offset: Number(offset ?? 0),
        limit: Number(limit ?? 1_000),
      }),
    ),
  );
  router.post(
    "/documents",
    route(({ body }) => simulator.editDocument(body.library, body.id, body.change ?? {})),
  );
  router.get(
    "/edits",
    route(({ query }) => simulator.edits(Number(query.after ?? 0))),
  );
  // All are read before the first is made: one that cannot be read changes nothing.
  router.post(
    "/edits",
    route(({ body }) => {
      const { library, edits } = editsSchema.parse(body);
      return simulator.edit(library, ...edits.map((edit) => editSchema.parse(edit)));
    }),
  );
  router.get(
    "/activity",
    route(() => simulator.activities()),
  );
  router.post(
    "/activity",
    route(({ body }) => simulator.startActivity(body)),
  );
  router.delete(
    "/activity",
    route(() => simulator.stopActivity()),
  );
  router.delete(
    "/activity/:id",
    route(({ params }) => simulator.stopActivity(String(params.id))),
  );
}
