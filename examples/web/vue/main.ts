import { createApp } from "vue";

import App from "./App.vue";

import "auth0-signup/signup.css";

createApp(App).mount("#app");
