-- A database of the version before requests had lists, as `sqlite3 .dump` prints it: its `breakglass serve` made
-- it of six requests.
INSERT INTO requests VALUES('req_01M8BVRRJQBGDS9K672JVNJPJS','alice','["oncall"]','["oncall","loners"]','prod','["orders:read"]','orders are stuck',NULL,0,1800,1795694551,1795695151,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BVRRK41KX9AED5GCH2DMT7','alice','["oncall"]','["oncall","loners"]','prod','["orders:read","orders:write"]','orders are stuck','INC-1',0,1800,1795694551,1795695151,1795694551,'carol','grant_01M8BVRRMY68YPT7GFN8891SZY',1795696351,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BVRRKFK2GP4K9AMZHDBD1D','alice','["oncall"]','["oncall","loners"]','prod','["orders:write"]','orders are stuck',NULL,0,1800,1795694551,1795695151,NULL,NULL,NULL,NULL,1795694551,'carol','no',NULL);
INSERT INTO requests VALUES('req_01M8BVRRKZN3V1Y4DYX347AHEN','bob','["oncall"]','["oncall","commanders"]','prod','["db:admin"]','orders are stuck',NULL,0,1800,1795694551,1795695151,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1795694551);
INSERT INTO requests VALUES('req_01M8BVRRM92XV4Q79XH4YEAE0F','alice','["oncall"]','["oncall","loners"]','prod','["orders:read"]','orders are stuck','INC-1',0,1800,1795694551,1795695151,1795694551,'carol','grant_01M8BVRRN7DR5FY9W9E9KADY3R',1795696351,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BVRRMKF4W2R3WJXE66B5MA','bob','["oncall"]','["oncall","commanders"]','prod','["orders:read"]','orders are stuck',NULL,0,1800,1795694551,1795695151,1795694551,'carol','grant_01M8BVRRP1BWCC7G03Q32BY52D',1795696351,NULL,NULL,NULL,NULL);
INSERT INTO revocations VALUES(1,'grant_01M8BVRRN7DR5FY9W9E9KADY3R',1795694551754,'carol','done',1795696351);
INSERT INTO audit VALUES(1,1795694551639,'alice','submit','req_01M8BVRRJQBGDS9K672JVNJPJS',NULL,'{"audience":"prod","duration_s":1800,"emergency":false,"groups":["oncall","loners"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(2,1795694551652,'alice','submit','req_01M8BVRRK41KX9AED5GCH2DMT7',NULL,'{"audience":"prod","duration_s":1800,"emergency":false,"groups":["oncall","loners"],"incident":"INC-1","reason":"orders are stuck","roles":["oncall"],"scopes":["orders:read","orders:write"]}');
INSERT INTO audit VALUES(3,1795694551663,'alice','submit','req_01M8BVRRKFK2GP4K9AMZHDBD1D',NULL,'{"audience":"prod","duration_s":1800,"emergency":false,"groups":["oncall","loners"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scopes":["orders:write"]}');
INSERT INTO audit VALUES(4,1795694551679,'bob','submit','req_01M8BVRRKZN3V1Y4DYX347AHEN',NULL,'{"audience":"prod","duration_s":1800,"emergency":false,"groups":["oncall","commanders"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scopes":["db:admin"]}');
INSERT INTO audit VALUES(5,1795694551689,'alice','submit','req_01M8BVRRM92XV4Q79XH4YEAE0F',NULL,'{"audience":"prod","duration_s":1800,"emergency":false,"groups":["oncall","loners"],"incident":"INC-1","reason":"orders are stuck","roles":["oncall"],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(6,1795694551699,'bob','submit','req_01M8BVRRMKF4W2R3WJXE66B5MA',NULL,'{"audience":"prod","duration_s":1800,"emergency":false,"groups":["oncall","commanders"],"incident":null,"reason":"orders are stuck","roles":["oncall"],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(7,1795694551710,'carol','approve','req_01M8BVRRK41KX9AED5GCH2DMT7','grant_01M8BVRRMY68YPT7GFN8891SZY','{}');
INSERT INTO audit VALUES(8,1795694551719,'carol','approve','req_01M8BVRRM92XV4Q79XH4YEAE0F','grant_01M8BVRRN7DR5FY9W9E9KADY3R','{}');
INSERT INTO audit VALUES(9,1795694551727,'carol','deny','req_01M8BVRRKFK2GP4K9AMZHDBD1D',NULL,'{"reason":"no"}');
INSERT INTO audit VALUES(10,1795694551736,'bob','cancel','req_01M8BVRRKZN3V1Y4DYX347AHEN',NULL,'{}');
INSERT INTO audit VALUES(11,1795694551745,'carol','approve','req_01M8BVRRMKF4W2R3WJXE66B5MA','grant_01M8BVRRP1BWCC7G03Q32BY52D','{}');
INSERT INTO audit VALUES(12,1795694551754,'carol','revoke','req_01M8BVRRM92XV4Q79XH4YEAE0F','grant_01M8BVRRN7DR5FY9W9E9KADY3R','{"epoch":1,"reason":"done"}');
INSERT INTO feed VALUES(1,'18bea7107169848b86ffdd72d3b964c2');
INSERT INTO sqlite_sequence VALUES('audit',12);
INSERT INTO sqlite_sequence VALUES('revocations',1);
