import { svelte } from "@sveltejs/vite-plugin-svelte";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

const isCustomElement = (tag: string) => tag === "auth0-signup";

// React needs no plugin to build. One build makes all pages.
export default defineConfig({
  plugins: [vue({ template: { compilerOptions: { isCustomElement } } }), svelte()],
  oxc: { jsx: { runtime: "automatic" } },
  build: { rolldownOptions: { input: ["react/index.html", "vue/index.html", "svelte/index.html"] } },
});
