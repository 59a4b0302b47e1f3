// js/hawser-inband.mjs under Node, with the WebSocket of npm `ws`: node inband_client.mjs URL SCENE. The scenes are those that
// a page in a browser plays: kit/inband_scenes.mjs.

import WebSocket from 'ws';
import * as inband from '../../js/hawser-inband.mjs';
import { scenes } from './kit/inband_scenes.mjs';

const [url, scene] = process.argv.slice(2);
console.log(JSON.stringify(await scenes[scene](inband, url, { WebSocket })));
process.exit(0);
