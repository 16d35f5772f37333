/**
 * Stands in the bundles for what is never used there: dockerode's ways over SSH and to BuildKit. They would be 700 kB,
 * and throw at load in an ES module.
 */
export {};
