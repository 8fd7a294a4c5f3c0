export { findRedisServer, type RedisServerBinary } from "./find-redis-server.ts";
export { RedisUnavailable } from "./redis-unavailable.ts";
export { freePort, type RunningRedis, type StartRedisOptions, startRedis } from "./start-redis.ts";
export { type RunningCluster, startRedisCluster, untilClusterAnswers } from "./start-redis-cluster.ts";
export {
  type RunningSentinels,
  type StartSentinelsOptions,
  startRedisSentinels,
} from "./start-redis-sentinel.ts";
