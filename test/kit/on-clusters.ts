/** `TEST_REDIS=cluster`: every test that does not bring its own cluster runs on one of three nodes, or on a node of its own. */
export const onClusters = (): boolean => process.env.TEST_REDIS === "cluster";

/** The tests that can mean nothing on a cluster, by their titles, and why; each such run prints it. */
export const LEFT_OUT = {
  "that is a replica is refused, and its master with min-replicas is D3":
    "a node of a cluster refuses `replicaof`; what a cluster's masters say is judged in the test after it",
  "Redis, started as it is there, is durable and knows its users by their passwords alone":
    "docker-compose.yml and its redis.conf start one Redis, not a cluster",
} as const;

/** For `it.skipIf`: whether this run leaves it out. */
export const leftOut = (title: keyof typeof LEFT_OUT): boolean => onClusters() && title in LEFT_OUT;
