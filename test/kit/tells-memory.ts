// Runs inside a broker process, before anything of its own: `node --expose-gc --import`.

process.on("message", (message: { readonly tell?: string }) => {
  if (message.tell !== "memory") return;
  // Twice: what a first collection finalizes, the second frees.
  gc?.();
  gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  process.send?.({ memory: { live: heapUsed + external, rss } });
});
// Waiting for questions keeps no process alive.
process.channel?.unref();
