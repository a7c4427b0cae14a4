import { testPrograms } from "./suite.ts";

testPrograms(3, 4);
