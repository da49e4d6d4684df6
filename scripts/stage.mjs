#!/usr/bin/env node
// Stages every package of a release and prints their folders, the root package last: it depends on the others.

import { platforms, stagePlatform, stageRoot } from './lib/stage.mjs';

for (const platform of platforms) console.log(stagePlatform(platform));
console.log(stageRoot());
