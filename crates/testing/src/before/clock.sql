-- A database of the version before the clock was kept, as `sqlite3 .dump` prints it: its `breakglass serve` made it
-- of six requests, one of them lapsed.
INSERT INTO requests VALUES('req_01M8BWBV6G62PCR3A4WSNGMPGF','alice','["oncall"]','["oncall"]','prod','["orders:read"]','orders are stuck',NULL,0,86400,1795695176,1795695177,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BWBWE2TWAHRBFE0W001DPJ','alice','["oncall"]','["oncall"]','prod','["orders:read"]','orders are stuck',NULL,0,86400,1795695178,1795781578,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BWBWE9RN327GJZ71NHZX1D','alice','["oncall"]','["oncall"]','prod','["orders:read"]','orders are stuck',NULL,0,86400,1795695178,1795781578,1795695178,'carol','grant_01M8BWBWEVKAFG5SFMRV4GBH76',1795781578,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BWBWEDR9CSAQVN4GSD05DC','alice','["oncall"]','["oncall"]','prod','["orders:read"]','orders are stuck',NULL,0,86400,1795695178,1795781578,1795695178,'carol','grant_01M8BWBWF27KCMRKKFDGP0RDS6',1795781578,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BWBWEJR01PSYT6N9V160TN','alice','["oncall"]','["oncall"]','prod','["orders:read"]','orders are stuck',NULL,0,86400,1795695178,1795781578,NULL,NULL,NULL,NULL,1795695178,'carol','no',NULL);
INSERT INTO requests VALUES('req_01M8BWBWEQQX32YGF82C468072','alice','["oncall"]','["oncall"]','prod','["orders:read"]','orders are stuck',NULL,0,86400,1795695178,1795781578,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1795695178);
INSERT INTO revocations VALUES(1,'grant_01M8BWBWF27KCMRKKFDGP0RDS6',1795695178213,'carol','laptop lost',1795781578);
INSERT INTO audit VALUES(1,1795695176912,'alice','submit','req_01M8BWBV6G62PCR3A4WSNGMPGF',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(2,1795695178178,'alice','submit','req_01M8BWBWE2TWAHRBFE0W001DPJ',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(3,1795695178185,'alice','submit','req_01M8BWBWE9RN327GJZ71NHZX1D',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(4,1795695178189,'alice','submit','req_01M8BWBWEDR9CSAQVN4GSD05DC',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(5,1795695178194,'alice','submit','req_01M8BWBWEJR01PSYT6N9V160TN',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(6,1795695178199,'alice','submit','req_01M8BWBWEQQX32YGF82C468072',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(7,1795695178203,'carol','approve','req_01M8BWBWE9RN327GJZ71NHZX1D','grant_01M8BWBWEVKAFG5SFMRV4GBH76','{}');
INSERT INTO audit VALUES(8,1795695178210,'carol','approve','req_01M8BWBWEDR9CSAQVN4GSD05DC','grant_01M8BWBWF27KCMRKKFDGP0RDS6','{}');
INSERT INTO audit VALUES(9,1795695178213,'carol','revoke','req_01M8BWBWEDR9CSAQVN4GSD05DC','grant_01M8BWBWF27KCMRKKFDGP0RDS6','{"epoch":1,"reason":"laptop lost"}');
INSERT INTO audit VALUES(10,1795695178222,'carol','deny','req_01M8BWBWEJR01PSYT6N9V160TN',NULL,'{"reason":"no"}');
INSERT INTO audit VALUES(11,1795695178227,'alice','cancel','req_01M8BWBWEQQX32YGF82C468072',NULL,'{}');
INSERT INTO feed VALUES(1,'31d652d34bc6efadcb519b63d23bd908');
INSERT INTO sqlite_sequence VALUES('audit',11);
INSERT INTO sqlite_sequence VALUES('revocations',1);
