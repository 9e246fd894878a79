/** What a request asks for, in words for whoever waits. */
export function whatOf(method: string, path: string): string {
  const found = WORDS.find(([verb, pattern]) => verb === method && pattern.test(path));
  return found?.[2] ?? (method === "GET" ? "what this screen shows" : "the server to act");
}

const WORDS: [string, RegExp, string][] = [
  ["GET", /\/api\/systems$/, "the list of systems"],
  ["GET", /\/api\/policies$/, "the policies, and whether each can be reached"],
  ["GET", /\/api\/running$/, "what is running now"],
  ["GET", /\/api\/episodes$/, "the list of episodes"],
  ["GET", /\/turns\/\d+\/truth$/, "the true law"],
  ["GET", /\/turns\/\d+\/prompt$/, "the prompt"],
  ["GET", /\/events(\.json)?$/, "the turns of the episode"],
  ["GET", /\/api\/episodes\/[^/]+/, "the episode"],
  ["GET", /\/api\/comparisons\//, "the comparison"],
  ["GET", /\/api\/demos/, "the recorded demos"],
  ["GET", /\/api\/runs/, "the training runs"],
  ["GET", /\/api\/board/, "the board"],
  ["POST", /\/interactive\/sessions$/, "the episode to begin"],
  ["POST", /\/api\/comparisons$/, "the comparison to begin"],
  ["POST", /\/step$/, "the verdict on your hypothesis"],
  ["POST", /\/llm-step$/, "the policy to play one turn"],
  ["POST", /\/run$/, "the policy to begin"],
  ["POST", /\/pause$/, "the policy to pause"],
  ["POST", /\/abandon$/, "the policy to stop"],
  ["POST", /\/preview$/, "the preview"],
  ["POST", /\/csv\/check$/, "the file to be read"],
  ["POST", /\/fork$/, "the fork"],
];
