import express, { type ErrorRequestHandler, type Express } from "express";
import { ApiRefusal, apiRefusalAnswer } from "./api-refusal.ts";
import { authorizeEndpoint, signInEndpoint } from "./authorize-endpoint.ts";
import type { Route } from "./calls.ts";
import { changeEvents } from "./change-feed.ts";
import {
  folderChildren,
  folderDocuments,
  listWorkspaces,
  oneFolder,
  oneWorkspace,
  workspaceChildren,
  workspaceDocuments,
} from "./container-resources.ts";
import type { Context } from "./context.ts";
import { discovery } from "./discovery.ts";
import {
  documentHistory,
  documentSecurity,
  listDocuments,
  oneDocument,
  searchDocuments,
} from "./document-resources.ts";
import { libraryOperations, listLibraries } from "./library-resources.ts";
import { logoutEndpoint } from "./logout-endpoint.ts";
import { groupMembers, listGroups, listUsers, oneGroup, oneUser, userGroups } from "./people-resources.ts";
import { revokeEndpoint } from "./revoke-endpoint.ts";
import { type Act, serveCall } from "./serve-call.ts";
import { tokenEndpoint } from "./token-endpoint.ts";
import { putTokenSettings } from "./token-settings.ts";

/** What can be read of a library, by its path. */
const RESOURCES: Readonly<Record<string, Act>> = {
  operations: libraryOperations,
  users: listUsers,
  "users/:user": oneUser,
  "users/:user/groups": userGroups,
  groups: listGroups,
  "groups/:group": oneGroup,
  "groups/:group/members": groupMembers,
  documents: listDocuments,
  "documents/:document": oneDocument,
  "documents/:document/history": documentHistory,
  "documents/:document/security": documentSecurity,
  "documents/:document/trustees": documentSecurity,
  workspaces: listWorkspaces,
  "workspaces/:workspace": oneWorkspace,
  "workspaces/:workspace/children": workspaceChildren,
  "workspaces/:workspace/documents": workspaceDocuments,
  "folders/:folder": oneFolder,
  "folders/:folder/children": folderChildren,
  "folders/:folder/documents": folderDocuments,
  "change-events": changeEvents,
};

/** Every address of the server, as one table. The control endpoint is mounted beside it. */
export function app(in_: Context, control: express.Router, publicOrigin: string | undefined): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.use("/_simulator", control);

  // Bodies are read as text whatever they claim to be: judging the content type is the endpoint's part.
  app.use(express.text({ type: () => true, limit: "1mb" }));
  const serve = (route: Route, act: Act) => serveCall(in_, route, act, publicOrigin);
  const library = "/work/api/v2/customers/:customer/libraries/:library";

  app.get("/auth/oauth2/authorize", serve("authorize", authorizeEndpoint));
  app.post("/auth/oauth2/authorize", serve("sign-in", signInEndpoint));
  app.post("/auth/oauth2/token", serve("token", tokenEndpoint));
  app.post("/auth/oauth2/revoke-token", serve("revoke", revokeEndpoint));
  app.get("/auth/logout", serve("logout", logoutEndpoint));
  app.post("/auth/logout", serve("logout", logoutEndpoint));

  app.get("/api", serve("discovery", discovery));
  app.put("/api/v2/customers/:customer/settings/:client/oauth2.tokens", serve("api", putTokenSettings));
  app.get(
    "/work/api/v2/customers/:customer/libraries",
    serveCall(in_, "api", listLibraries, publicOrigin, "libraries"),
  );
  for (const [path, act] of Object.entries(RESOURCES))
    app.get(`${library}/${path}`, serveCall(in_, "api", act, publicOrigin, path));
  app.post(
    `${library}/documents/search`,
    serveCall(in_, "api", searchDocuments, publicOrigin, "documents/search"),
  );

  app.use((_req, res) => {
    const { status, headers, body } = apiRefusalAnswer(
      new ApiRefusal(404, "NRC_NOT_FOUND", "There is nothing here."),
    );
    res.writeHead(status, headers).end(body);
  });
  const failed: ErrorRequestHandler = (error, _req, res, next) => {
    if (res.headersSent) return next(error);
    const status = typeof error?.status === "number" ? error.status : 500;
    res
      .status(status)
      .type("text")
      .send(String(error?.message ?? error));
  };
  app.use(failed);
  return app;
}
