/** Where the query cache keeps the episodes of the log that is open. */
export const LOCAL_FILE = ["local file"];
/** Where it keeps a file of measurements that was dropped, until it is looked at. */
export const DROPPED = ["dropped"];
