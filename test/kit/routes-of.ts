import type { Express } from "express";

interface Layer {
  readonly route?: {
    readonly path: string | readonly string[];
    readonly methods: Readonly<Record<string, boolean>>;
  };
  readonly handle?: { readonly stack?: readonly Layer[] };
}

/** `GET /path` for each route, those of mounted routers included. */
export function routesOf(app: Express): readonly string[] {
  const list = (layers: readonly Layer[]): readonly string[] =>
    layers.flatMap(({ route, handle }) =>
      route === undefined
        ? list(handle?.stack ?? [])
        : [route.path]
            .flat()
            .flatMap((path) => Object.keys(route.methods).map((method) => `${method.toUpperCase()} ${path}`)),
    );
  return list(app.router.stack as unknown as readonly Layer[]);
}
