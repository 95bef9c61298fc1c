import type { NextConfig } from "next";

const config: NextConfig = {
  poweredByHeader: false,
  // The script of the built-in page, which is at /signup.
  rewrites: async () => [{ source: "/:file(signup.*\\.js)", destination: "/signup/:file" }],
};

export default config;
