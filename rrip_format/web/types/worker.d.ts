import "./errors.js";
