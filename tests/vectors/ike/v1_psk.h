/*
 * Negotiations between two strongSwan 5.9.8 daemons, made for this purpose, with the secrets that
 * the initiator logged. Phase 1 and one quick mode each, as on the wire.
 */
#pragma once

struct v1_vector {
    const char *name, *psk;
    const char *p1[6]; /* main mode six, aggressive mode three */
    const char *quick[3];
    const char *shared, *skeyid, *d, *a, *e, *key, *iv;
    const char *hash_i, *hash_r;
    const char *hash[3];      /* of quick mode */
    const char *quick_shared; /* NULL: without PFS */
    const char *encr_i, *encr_r, *integ_i,
        *integ_r; /* of what the initiator, the responder sends */
};

static const struct v1_vector v1_vectors[] = {
    {
        .name = "v1-main-psk-3des-md5-modp1024",
        .psk = "Only-For-Rigs-0123456789",
        .p1 =
            {
                "db0e12958ff2562000000000000000000110020000000000000000b00d000034000000010000000100"
                "00"
                "002801010001000000200101000080010005800200018004000280030001800b0001800c3de00d0000"
                "0c"
                "09002689dfd6b7120d000014afcad71368a1f1c96b8696fc775701000d0000184048b7d56ebce88525"
                "e7"
                "de7f00d6c2d3800000000d0000144a131c81070358455c5728f20e95452f0000001490cb80913ebb69"
                "6e"
                "086381b5ec427b1f",
                "db0e12958ff25620822e7fc3ca34c9d101100200000000000000009c0d000034000000010000000100"
                "00"
                "002801010001000000200101000080010005800200018004000280030001800b0001800c3de00d0000"
                "0c"
                "09002689dfd6b7120d000014afcad71368a1f1c96b8696fc775701000d0000184048b7d56ebce88525"
                "e7"
                "de7f00d6c2d380000000000000144a131c81070358455c5728f20e95452f",
                "db0e12958ff25620822e7fc3ca34c9d10410020000000000000000ec0a000084064e0b08f718412cb2"
                "df"
                "1f9e33fd96840831514be06e1f718e3cedf3375291eff8e2a0bc59c2e2b3d0ae1153766af4f26f5f10"
                "cc"
                "14de1d1622465ccdf9ce8f7ed666ae9f755aa1feb2a74ceb516aa09be03290807bed9dda02a5b2054f"
                "c6"
                "828d02f57366218c6ab0f042728a2101370a02faf517cb3a813577f759b5fbfd99bc14000024fefda9"
                "63"
                "440389cca202a025a4ae231ba67894afe006af87454baecde976ccc0140000149ca7d5d380fa86bbea"
                "c5"
                "d86f8bfe10eb0000001401858530aa1520de7d87971c097a2e3a",
                "db0e12958ff25620822e7fc3ca34c9d10410020000000000000000ec0a0000848ca2d64f6bbe8cb9c4"
                "64"
                "ee6e11e7574833d6c2b6e50168d3bd55e75a3cfad8a15258bb5210b942dec3ade379f55da05cd5d362"
                "54"
                "0c2bb6a89c9ed397e6b948d617c9096f3134605d2ddda1609ef69bb58bfea42eceafa40073e3eb49eb"
                "58"
                "e4381674d490b1411b8b850441bc3dcc52af0a02c097c0890412d7d2e5194e7c1bc314000024cc1933"
                "8d"
                "dc7ad778b73607701cefe8a080b54954842369b5edac81f59064252614000014250eed5a1910e3ed59"
                "f4"
                "6d58b9f4634b000000148cb765f49516e4df830c642e198186e3",
                "db0e12958ff25620822e7fc3ca34c9d1051002010000000000000044c308fbed10568ebada95f8f066"
                "15"
                "2a4c96abdb676617675572ea8e50900ef6daa54d1a37833912f8",
                "db0e12958ff25620822e7fc3ca34c9d10510020100000000000000444efc7f52831cd281f1921aa97a"
                "44"
                "67223c0f1462f5f0f662e05644eb999b65dde64efdd1188bbb18",
            },
        .quick =
            {
                "db0e12958ff25620822e7fc3ca34c9d1081020010fb7c68a000000ac3afea4ed74daef9147341819b3"
                "f0"
                "4bca63f1f70f0cdb39afdae75a80ca479cd1f84a72777def689a91edc62b65bc981b04b34098e6b295"
                "b8"
                "19c74a0f1ff2eeefbf2f80c2f3d0a424dd3563224d85e05c39a423affd49984260bc98af238fecb941"
                "bd"
                "0d09b58f2e0b3e2e274869a26852d4703a25739472b1588292d7891ca4b067ff46fdf5f1a12d20d2db"
                "68"
                "63cad3b3",
                "db0e12958ff25620822e7fc3ca34c9d1081020010fb7c68a000000acf8967aa4dfe78fac0050271096"
                "54"
                "9b37550a587fdda314b34aa3d99a13c9eeaf13809651d7a7fd962da2fe16c0a5683d233a18f1abfdf2"
                "b3"
                "48a7cafb0b5210350e84a6ac99862a19422388f19254a1959d3beb734cc355f59b5f02571a4db5cc64"
                "57"
                "009ea14687ab7c92d1f6d096de139d6cc1cbe107b5ba057040071e3c85f07d987c2eaf5a9b26d4b835"
                "31"
                "d2ed6821",
                "db0e12958ff25620822e7fc3ca34c9d1081020010fb7c68a0000003411084722b61277f33672018b31"
                "a0"
                "e023fde7d86a5c77d1c0",
            },
        .shared =
            "c21ee50cafe349596ec54c7ec0c9e3343ae86e252f2512c3b70440c1e8c4afb04b0e1a00001a9883ac12"
            "c1544648e735b8677b95a00b4eea920b7f03cc3bc968c54ccbb0a4b4c13c6c56d1406ac68d4f2feb770f"
            "3ff2dfe6d8f91fdde02122abab1c7a84a3fce8344e89993e77c4e3dd7a13567fd459650da744be097253"
            "d722",
        .skeyid = "82bbb5dac87885f88ed0500e6ca67f11",
        .d = "d99fe9a1f89b5cd0ac55d756001208f6",
        .a = "9140ec972c9a372484d98f95a00d5614",
        .e = "9e987adb9b2a075949692ed3a9e9bd29",
        .key = "bcffa15071ba99aebbee36ad9484d59f619b014c433562c2",
        .iv = "bd4a58e4521a2828",
        .hash_i = "8bb5e978805a1daa4b959f98a6f8e4c3",
        .hash_r = "314ecc2c2db13348e6abe422de03cf5d",
        .hash =
            {
                "f12992e954036e008ad2bb173c798561",
                "e2bb57c9bb77d629078be940a27901f0",
                "69922f1346b094f1070ad1f37594c611",
            },
        .encr_i = "d7c9000e3ad42db9c8afba61e7a1edfa",
        .encr_r = "72a0895fe30b24b0785503cf79d541b8",
        .integ_i = "a8bea9f4889a343ec3421fd04d927ab1b0065a4d8dba53e14ad12699e2b81c1c",
        .integ_r = "b2f5b160d9a01c693aebc49c72c714ef7cf15cccda5790f088b2bcf8e59fdf89",
    },
    {
        .name = "v1-main-psk-aes128-sha256-ecp256",
        .psk = "Only-For-Rigs-0123456789",
        .p1 =
            {
                "ba80a65da52ef36500000000000000000110020000000000000000b40d000038000000010000000100"
                "00"
                "002c01010001000000240101000080010007800e0080800200048004001380030001800b0001800c3d"
                "e0"
                "0d00000c09002689dfd6b7120d000014afcad71368a1f1c96b8696fc775701000d0000184048b7d56e"
                "bc"
                "e88525e7de7f00d6c2d3800000000d0000144a131c81070358455c5728f20e95452f0000001490cb80"
                "91"
                "3ebb696e086381b5ec427b1f",
                "ba80a65da52ef3651a8b2d07c9ca256f0110020000000000000000a00d000038000000010000000100"
                "00"
                "002c01010001000000240101000080010007800e0080800200048004001380030001800b0001800c3d"
                "e0"
                "0d00000c09002689dfd6b7120d000014afcad71368a1f1c96b8696fc775701000d0000184048b7d56e"
                "bc"
                "e88525e7de7f00d6c2d380000000000000144a131c81070358455c5728f20e95452f",
                "ba80a65da52ef3651a8b2d07c9ca256f0410020000000000000000cc0a0000444accf61572516fdf61"
                "8f"
                "35309eb706365f758cc8e86963cb6a3b05b1e41829f87f40b20fb3f0a1e772e516f7516afb27b2edfe"
                "2e"
                "be7db66dbf5327cda45518a2140000243f52ae94f1f802859d8be5f918ae941eca37392e475bfbc5ad"
                "3a"
                "1ea0c08013da14000024c08dbac3b78f40cc9b88636517668ed926a24589f713b7eb362424ed3694c6"
                "9e"
                "00000024ddc2856410bc5edb2f3f3c7fd1a5e5883073e8a39babb8327622ca98f40cc1fb",
                "ba80a65da52ef3651a8b2d07c9ca256f0410020000000000000000cc0a000044188efc01e40a08d77b"
                "3b"
                "8cce70fd7e538804b3a987d3b0e5f7cf8a0edb0493847effc9de29596441a067c8b48bb37dc692ebd1"
                "23"
                "1baaa144aa018359c82cf3ba140000244656b70b9573c15acb8654de564ef6f299d33b5dafec315ff6"
                "08"
                "437236528aa114000024d8132679f205b12c92348e2c272b70f0f5cd7456e34bfd9ffba3503d2defa8"
                "bd"
                "00000024f357d748f11e1ef5183df236dcca1ed66de6e5e52dc4dee98d8cf5d7aeb0ff76",
                "ba80a65da52ef3651a8b2d07c9ca256f05100201000000000000005c01f47bc12c9ccedaf8ec0b6179"
                "e5"
                "58ff46cd77fffb279737407d07d9ddfdf7b11eb6580198a2b495700d5955a4ac3b79a52be0d9071a71"
                "f3"
                "c91632d66c012ce2",
                "ba80a65da52ef3651a8b2d07c9ca256f05100201000000000000005c5878a5c424937181b703ff4181"
                "0c"
                "b4d5f71290289eb580bf595eb0efdac8f9def4d6eb3ce0a1b1b72918f3568d31ea883b64ec6ee48ffe"
                "ec"
                "185192c055856d5a",
            },
        .quick =
            {
                "ba80a65da52ef3651a8b2d07c9ca256f08102001aec7be42000000bc04630592d78c9d9aa202c4a155"
                "0f"
                "7e370f6943caa3ad74354447daf3a126621badc86ce177185fa3b854b96181ceb5f13d7d9dbbd305b4"
                "18"
                "9f594b08eab8df2c973ecf1a0de9d6461836ae54be9c9b771c8e1824e6aff6cb14a2e9ac12f9267a8c"
                "f4"
                "cdc1793ec05e1cd9bfb311980015bdd4f2b1b601d516c4adbe7dcdf96776909915b2ae23b389a1e659"
                "d0"
                "cd1b4c88d1f6b3b40dc5a73bb4ffe6dd20d0ff3d",
                "ba80a65da52ef3651a8b2d07c9ca256f08102001aec7be42000000bcc2d91d62428e0baf8848c134b7"
                "3c"
                "1426b195b109b7232302e96e381e351f00b7d1a44dab3ebf56fa1904f445c9b43573e6fd405636a681"
                "60"
                "3df14879c2350dad46adf2c44a4def7733b61c005928e1e1623c513992bf06dc93811a62a2db24c0c1"
                "10"
                "44c91ad850031c126edd62dc7fad5cdf68e29fb7a00af178abc8928039bdbc53173fb8f5971ebeb279"
                "e6"
                "66ddd6e4f2300e565699d1e975908efe88ad2507",
                "ba80a65da52ef3651a8b2d07c9ca256f08102001aec7be420000004cc4f11b34b57d09c118000d9679"
                "06"
                "b1c21835ed43b94fdfb6b7d3ade619b9c88afa3fd0d61ed9dcf89c9ccd49d81dc802",
            },
        .shared = "c33289fe0d6395ab53905bbadcf38d8768c467dffd4200af06be2239a30445ab",
        .skeyid = "88ffcb27b8b8e6b4337b38983c1106aa4ac1d2cfbdb14741934ac17340700d32",
        .d = "24411729dc167e74992f71c18a86ccb927b7dd3ae9c502a6b37f83efe228cf72",
        .a = "dd7774ed2df94384d102e19f94a1f73f124539ddfd782df3d1c4d82886c6e42c",
        .e = "b2af7b509d2bb78e776320a1b3f09f066d1838240c6e1d7683a2ff6db5b77307",
        .key = "b2af7b509d2bb78e776320a1b3f09f06",
        .iv = "8ca17ab993645a18dd7953eea03e023f",
        .hash_i = "4e56ddaef615b839b2d39e9527c59f6f3c9bd0058b63c4269b30983117bcb1f5",
        .hash_r = "323f7d3418d034dba8386d2d975028658b71785dc57c58fadc213e813ee0b0dd",
        .hash =
            {
                "1d42b30aaffc29728b4d6d795e579b67cef79415966233da4acf8e1abb226b2f",
                "93922f605e14f91e18e1b79db82c373c57731cc9de9e8a96a1b525544e894d85",
                "64dbc9c57b69930fbdf54613a483d556e5f28f2d42698707243abd4459992396",
            },
        .encr_i = "c8a393f386e98ae11f02913d4afcef3e",
        .encr_r = "2ef3a5ecfadf8f350fa3f7d1c163baa6",
        .integ_i = "2c62880479ed93e3b980c87f26920d50cfbb4b6e6651a294d80ae90277b493fc",
        .integ_r = "6d0c3ffce54d279e4b12c337a139a9736ff544f5e2de71053ef60b66ad97ef11",
    },
    {
        .name = "v1-main-psk-aes256-sha384-modp4096",
        .psk = "Only-For-Rigs-0123456789",
        .p1 =
            {
                "148acc9cb1099e4600000000000000000110020000000000000000b40d000038000000010000000100"
                "00"
                "002c01010001000000240101000080010007800e0100800200058004001080030001800b0001800c3d"
                "e0"
                "0d00000c09002689dfd6b7120d000014afcad71368a1f1c96b8696fc775701000d0000184048b7d56e"
                "bc"
                "e88525e7de7f00d6c2d3800000000d0000144a131c81070358455c5728f20e95452f0000001490cb80"
                "91"
                "3ebb696e086381b5ec427b1f",
                "148acc9cb1099e461c84fb1920645a7f0110020000000000000000a00d000038000000010000000100"
                "00"
                "002c01010001000000240101000080010007800e0100800200058004001080030001800b0001800c3d"
                "e0"
                "0d00000c09002689dfd6b7120d000014afcad71368a1f1c96b8696fc775701000d0000184048b7d56e"
                "bc"
                "e88525e7de7f00d6c2d380000000000000144a131c81070358455c5728f20e95452f",
                "148acc9cb1099e461c84fb1920645a7f0410020000000000000002ac0a0002043ad6881dd2556fb8f4"
                "6e"
                "6fc9187bf2dd20d382f38365e0a4b93b268dfd742901eebaa50fb611f2a1d48f131b54bcbdac742b25"
                "5c"
                "c8be1bf65f3bf0a1ad7f86e3653634b07f0a0e95cb959394445629c09ad3ba565388f9926a083ed6ec"
                "49"
                "bee48d5df2fb06ae4e11767756752a5e48360e04cc1cc305977c02e62de3e8fc1210a48d922af4e9ae"
                "3c"
                "2792659aeff4a07e5dce5a2f010ab164db51d3462804021377afb2153ca48c5d92f286351319a748d9"
                "16"
                "ae40d6a87dc6387956626061dbb6fa76bca1a4ff8a9af3286681f05421c0e87fbb4507dd11b9dbd47a"
                "51"
                "293db0f372a09c83abfd93ef034144d0952dc334c3789f510a4c81e01a16fb409205d4640be6512294"
                "a4"
                "7954672adce6a9465d5c2998168710a50807485216e92c44ba4d05667ee54a7e33ec4be71a5c13b254"
                "9f"
                "350eacc96013783c91b4515bb63442529bd0402a925df43f197dcd5c8ac53246b10b5ee08c4cd40f0d"
                "26"
                "719d2d03658c43bae8f03c1cc9466a7d1cc619a3ea12678e2db6fc8e4c1855de25c7e83e139049b2d6"
                "e2"
                "484efcaf7e914f660d7e26e8dcd3dbed3ae494baba18ef46fb258bb4ca1bffefc3e2344800dcaa7029"
                "87"
                "3243643a938467ae6d0e427ca9bfb9b2070f51fe59e6715046d3da540a8d7b3936f83f6bd706a2c698"
                "26"
                "f50b65450806f6b8bf51633a276b795c89ca2a1bfbff76fdd71aabf3a5c5ad79d4f9b03b96a72b9414"
                "00"
                "00244d406bd85d6c2d576a78bd77c663908f2168ab7aaa6fb3af709308a2e9779d0a140000343fa2a8"
                "41"
                "9f4cc50ec18db0285e124a469f7e21497b80522b1af7953cc33d40f01027d9c712b8d2ebed296a7c22"
                "d8"
                "970200000034e33d993e7d37f574fe10458782da0925c2e04da692754029b3e608dabb14c191595a00"
                "a3"
                "bc6c7f8cadd1d74672c9707e",
                "148acc9cb1099e461c84fb1920645a7f0410020000000000000002ac0a000204c30288224b17d01ba7"
                "9c"
                "c542ac4dc69ac8e893e7643ffcbb16bb9b20fb58d25801211ec4f7dfedeba6f8f41756fbb414214094"
                "ad"
                "d28598dbff8aa5fd7cde5b4a9bc8c4041d5ebb7b53af523d407333fb924b8effe7569709da9c08ae66"
                "1f"
                "799b904d46629eda49444733e1354b9b7e744d651bbb0fff06da47536f790a843f137e12a1dd9d7979"
                "06"
                "9fa1d52b63ed6e96769c28e7739c7b2b60493a382bc60736f551434cd8e37bf9b2e67602a06a55c366"
                "2a"
                "29c0ccee79d9c32825c847acbafc5a5aa14af2931399a40191e9b39434db8ca3713c962d6039f8c392"
                "73"
                "1a348ff9a038a72be8aba48b750b223092ea8b468db7aa383c24cfc89ab1350d733c9ab6921b848318"
                "d0"
                "23a322a5ad23e6dae52025f6cc8e270dcad8e47e6a5e61ff62408384ab8550dd4f4ad5124c32a7976a"
                "b1"
                "0d47d232dc96dccd286acf71b8bd1f54ed0b7a24e25f5902a9b54861b7eff626decd93890bb942fb31"
                "91"
                "4ce4ee62db6a60f0f74f906ea3bc480e95ca998e253be771a976410f0feca004273d422b632069d0b0"
                "b3"
                "b4288547b519f3f9df2513749660a83451e395dd7d3765a3ef8f861cf9276c6485aed6111cadf47ac1"
                "ab"
                "4c64419c0bf60e0b6157289b1581a9dca5f1dfe6b08e61173994362d577300e81290ce03c95321047a"
                "18"
                "27727a162c6b28a0af94f19ca6f303ae08466792ac4fbb73878530f03213280492d9ad7012383b0a14"
                "00"
                "00249a22f270035a2ed4fa92b5e589a2d1667efe8e67be7590b02cf64f3ab1c52be11400003456defb"
                "e8"
                "44f8cb2f21e69dff83db64b45c8a218da533e9bd9e43d4d0ecb92e820d971590ac9e4edc3de056fe04"
                "a1"
                "e270000000345be211a0c43ac11065f6c7b3d89f053d79ab2b51f7df16dabd7d74e45f19ddc5885432"
                "30"
                "21458eb59dc7a1b55da70587",
                "148acc9cb1099e461c84fb1920645a7f05100201000000000000006c34991e95ab2d0bae09f68fc2e7"
                "19"
                "ba1e58f09560483c5eee6dc91690ab69853826a23e34ca2c49ffff8df8cb832697e88ac57b5765c158"
                "c8"
                "9114345d3acf16122a3b2b165b3a23a8dc83d05ce4a157b3",
                "148acc9cb1099e461c84fb1920645a7f05100201000000000000006c35a4b812bc204d463538481d0c"
                "5b"
                "a396b1bce129e12a2a1da2bcd64e014aa2c56a8bb33daf93a8bc171d02ba864e73e09cfc01834d93c0"
                "7e"
                "88292db9a4bdc8af407b67eb634a0892d336ed6d9bcbaf62",
            },
        .quick =
            {
                "148acc9cb1099e461c84fb1920645a7f08102001c466f67d000000cc828b70feea5d486c679d486116"
                "dd"
                "85b37370aafedc904401b2b9605ab643389e5c2d4aa15a6141b0d8580a3269b788d0dc7167839384ac"
                "72"
                "39b867ea7292592520bc45236771b4f1e36e3aad0d51f7c4ff5ad8ab70f3988fac44e0909ba87dc0c4"
                "0a"
                "f01a50b8e5d6ff7d4d46fed8f0a9aee3bc143afed88f9206d1ee774412227b83b3a14a94d8e39d01cc"
                "2e"
                "4f2aa77cf007c5f01042425d077d54bb944242483b25c36b9e4f7f8512884a16d9b2eaa4",
                "148acc9cb1099e461c84fb1920645a7f08102001c466f67d000000ccc8a772760194b7d65f1c08c52f"
                "4b"
                "5c731e5dec59ff780a4c95379b3a8640f461e6391c3d17383b3e782cdfae5e10b1277206602f8a883d"
                "96"
                "a78e4f7e513858f601785804c18b330585692593f41f7344c8a1427588e958633bf94345f31817ea14"
                "f8"
                "6ee30a0000fb28e574eeadc5881a94ce0d18ab4249fcb1b9c2c20a6435cf1519882ba4a6a4ad904fa7"
                "d3"
                "98fbeb4ae0a4e76e23d645ced3d611da152cb101ff38d2491c34eb6665f10a4997782597",
                "148acc9cb1099e461c84fb1920645a7f08102001c466f67d0000005c30cde60d3169346d151aafc0d4"
                "7c"
                "efb78ccf74eaf53e82dba44f46bd893c01408867aa7083f99ef3f1588e3a5f170dc0c5276ef83d9792"
                "50"
                "9acd02dcc0f60402",
            },
        .shared =
            "0034fcbc8b29df1e376883adb80db3fe3714067e56b0e524e6ae00a2e32b3dc2e3ba70edd7a127314ee0"
            "ff45dfca0b4354dc3c77f330e038d19cb207be82af96bd1c1f9745f5069c55e158ff544e9cf8c8e44165"
            "085879e8f828710cdf1bed9c5523fe9d052e9a860e6be456f1d46f52e59eb6a87823b1aacd7e51354c39"
            "090022df547def55ec5eed74705b30a311bcca013749fb59a5dbbb452acaf5e4dca85ec28f07b2c0de5b"
            "f00416e22cf57a3cc65e877783c72605499b0f62cb0d5babfdef81d861268341854363b85abf77ab6316"
            "799e1ef352bc7269d0bb31944fc3c77627f6c5610c11d76b13386b0ffb93fa30d5fb83c704f5e97c1ce2"
            "1aef524a89bd196b5934519a5c85524460e67aa9df8d3cbae8b00d5bb1731d3bb4b7b614ea8b3b8f301f"
            "3dd631abe32fba714a3031ab1e1bd74de2032c1d05f26f44debc0559127ed0a448f907cc4dab2d641347"
            "9e9f15a9c17a55d64c2f00d9f3a376171783fd1bb233a3071011aba61675a3be72d3f1cec9c076d17169"
            "ecff14709ae7894e9ded5f1624e9c872986568d10e2e8404cad73689eb618be19147a8999e42d27c509d"
            "7b9880357cb66638dcb81147dc5eae155bf3223bb9cd3972a78619e09b89bf6a7582fe0e862b4d82c643"
            "ceb6877469fda7d84985602c9f8dd7fae2a28d69b0d315a4313096602c1115eac151988ae002c9111a7e"
            "a393bb17cf83c72e",
        .skeyid =
            "e5caa4080ce68ecbef9b86e2b72da5e8bb171eecf76286c48810995ba9b814a35eb22ff60b16c3c9738f"
            "c8b7068a990b",
        .d = "d09984fd7a8f0afa4a4df7e4ca6362a2555ab297ebec43f5ec80795d5f4947a0e04bdcf5303a4694d791"
             "df45aaac1b3c",
        .a = "b232f1aff0719ae8a001f63812b1c3d48768d96a3ea448d3d2388d7585a25826af94c9cb03088bb1e320"
             "5af787cbdefc",
        .e = "516609a7e490189a3f639b95d757d373c1d078448f15ea8614b02cb47d86dbb22d0831f1d9c8a707a12c"
             "ff8d668ba279",
        .key = "516609a7e490189a3f639b95d757d373c1d078448f15ea8614b02cb47d86dbb2",
        .iv = "5a31cf736f3bf90a1fd3b0c6b7643ff4",
        .hash_i =
            "f816529cefa1e1196390342912dede01ceb88702225fe9fb938629af721795fd7dd7bd6db4ce475384d0"
            "b33728679ed8",
        .hash_r =
            "4dd8e52c3ef5f5b66ad06e35c54d129c6cf510d40b3970f18f1f653a4696efd9481cfc5a43da1f29ecc9"
            "934363b5281a",
        .hash =
            {
                "7e5b76a358675df0820fcad6b354e92c91e5681e25db241d83087755d429dec50029ae9b8c241c4ea7"
                "56"
                "ccc3b21aa491",
                "d0e27862d4b23d595011e5892dbec2670913e0fb3670907195266af14e5b53b0a92c5d1ba9c0fb4d96"
                "af"
                "4a3b097a4910",
                "39bb581c87296490a0522934dbb92bb791bc5bad9d6be3c31dfa21fc7bf35f04caaf6bb5a497850afd"
                "47"
                "13df24f9d1e1",
            },
        .encr_i = "85fa5cdcf566c11aac6ff567e938c01c",
        .encr_r = "04be5deb7a9f80dab65e4affc7e6b109",
        .integ_i = "c2291411d89e08afeba5cca06ffe17440f1bd8ceaf606a7f5ffdba03fd7e32e3",
        .integ_r = "88d550b7458ec9fc347c3eb3912ac23c4b1d12486c834da4be40c8b1c8ab9564",
    },
    {
        .name = "v1-main-psk-aes256-sha512-ecp521",
        .psk = "Only-For-Rigs-0123456789",
        .p1 =
            {
                "88558d1d2998890800000000000000000110020000000000000000b40d000038000000010000000100"
                "00"
                "002c01010001000000240101000080010007800e0100800200068004001580030001800b0001800c3d"
                "e0"
                "0d00000c09002689dfd6b7120d000014afcad71368a1f1c96b8696fc775701000d0000184048b7d56e"
                "bc"
                "e88525e7de7f00d6c2d3800000000d0000144a131c81070358455c5728f20e95452f0000001490cb80"
                "91"
                "3ebb696e086381b5ec427b1f",
                "88558d1d299889089b6fb9a52c3c2d570110020000000000000000a00d000038000000010000000100"
                "00"
                "002c01010001000000240101000080010007800e0100800200068004001580030001800b0001800c3d"
                "e0"
                "0d00000c09002689dfd6b7120d000014afcad71368a1f1c96b8696fc775701000d0000184048b7d56e"
                "bc"
                "e88525e7de7f00d6c2d380000000000000144a131c81070358455c5728f20e95452f",
                "88558d1d299889089b6fb9a52c3c2d570410020000000000000001500a00008801ff3a01fde688a371"
                "90"
                "97f17462b6df693891a60e1c83428cdd2150b5e034f46c682b0e44ea5c99088d6adf7f9455c36ce5c0"
                "9b"
                "3cde8ad454559b3841bce64709b00079375d6afc5fdd51efe90a1aee1ac91ff611da548ef0a3355f12"
                "fb"
                "24b9853bbe7b63c884614a02fb5c0c72e2fa3f9bd7dd50a88828c69ef654f5f08eb78adf3977140000"
                "24"
                "8442f8828ae5d41ad0891664a7a3e5f56da211babb2528ef8882c0bc5efd0ac11400004416473d2c93"
                "5b"
                "05ba741fce531cb6ada71455266d31f422ac68bb5ae0952f8ca3978930699cfccf8856ea779c3016d7"
                "b4"
                "314f174eaec328b0df6e8480fcae2671000000446b6685e366ba9e5b823ba631a751ba78443c1f0aa3"
                "06"
                "810c978f0e4398d504249f72f7d1b93f4ca95db19dfe3e2befdc10ab3b63558364174adc4764869c48"
                "d7",
                "88558d1d299889089b6fb9a52c3c2d570410020000000000000001500a00008800931b74873e80eadd"
                "1b"
                "15d99283a05182d7089b2d03452135419a3c9393be228c7ec54aaac53c1af37e76754de72a38512627"
                "97"
                "97537a0a0c576baa23caaa21cc4d01a664277285b41b20fe6a20e0b690461b66fe810fd6b9767a8f60"
                "16"
                "47fadb462724da39d9a9b54605343f8e12f6586bd1a4bd19b45a6e52ec125d98f1ba6a6d5b1b140000"
                "24"
                "24660410a9db47595078560c29da3afff266dd26017a8ec4aa723f4bb680620d14000044a89bdb09a4"
                "59"
                "66d2bafd2f1272094f18c4c9ce42a32db50f402aae209aff7a2b8a422fb19d01cffd6db0ef35b42d8e"
                "5a"
                "f76b93197bdab265ef9a8686090593cb000000446aec4629c1b4368f7c9beb39c3389cd4c707ac684f"
                "5f"
                "5a3ffd7e3630baba41c59440878d73fd6d52ca8e5ee083358489db0015dd914f756c9c865cf8983e3b"
                "95",
                "88558d1d299889089b6fb9a52c3c2d5705100201000000000000007cad179e629f259267e4acc5163d"
                "9e"
                "0907855d1fdd434e6f82a94a37fbacc760d90a15ddef42fabe5d03c9c25ff92bb10e5cf51f2b973873"
                "11"
                "f4fa760a533a4e0df659b18cc581b0e6be0378275f8b1ad183c0eaa3bb47f48420b97e96c32c9c2d",
                "88558d1d299889089b6fb9a52c3c2d5705100201000000000000007c766980dca718a4c77d5392ac5d"
                "50"
                "a1456c28a58e1f1f40dd071418588bf706bd35d0b32614fc6954162e5073ca28e975997f13b2a405ac"
                "ff"
                "70c0d209d5cd6f927c4874dfb7b6a5b97889a4735ab66b9001f1123ea1c93542275aa474a4285081",
            },
        .quick =
            {
                "88558d1d299889089b6fb9a52c3c2d5708102001b6ec3420000000dc6080d7c92b1fdf727357488305"
                "89"
                "bead66783a93b84e8514176913c255b4aa3e912bb8b020d39b1bd9824eb3f42fb2fce598d3b02c3f73"
                "1c"
                "17e20029192e391951938b51dce0d04f96c776ed20eecd0a9a32b7b7a0793190ba7175dcd2593630f5"
                "75"
                "e2548b9f2f2cbfb44faf8d38c2d1a6712aed435ed670107315634cda2284b2df22e3e57b8483256642"
                "b4"
                "39fd537cd89129fa07818c2f678e7ba47896e7c15ef70d8f292022d3c077b7363d4dff08fcb97b61d3"
                "46"
                "5e648e319c2b08bc637d",
                "88558d1d299889089b6fb9a52c3c2d5708102001b6ec3420000000dccc3a995df055c34b85fef44ab2"
                "52"
                "51a1bbb159d03ceab8e75e0ffccdcc7d937f099c7a9c006a55195221a7602dba032e6eff91204db046"
                "76"
                "df7a3a5796d5755a45084d9d3e0cffff0ac0b36f122d43fc7b220cbe0e8513e22e6d9da2d00d53d97c"
                "ca"
                "b09770038ccc5f3bcc9ec12632c65cdb428f147b1ea6abf916700e8aa1385285981c616847cff09f93"
                "fa"
                "4bd8f35d87cfd4cd405d5dec522ba06d6d8c05a44ddf671de5b8cd2f9e5b788a4815becb8f4bab8689"
                "ba"
                "33cd733bba3bc2fbc977",
                "88558d1d299889089b6fb9a52c3c2d5708102001b6ec34200000006cd4fe54dcd90bda33c195cdc2aa"
                "5e"
                "157e0371ee9a4f618b0da172528b087de21b669af1dd9384b95d4ad99bbefaeecd8861ba26fb508cc5"
                "fb"
                "f081700991e8b6565827b2b7c673de552a8bf40fe2aec658",
            },
        .shared =
            "01c1517c4eae6085ea2dbb1ee478f8a6ea6a3cc7e338bc2a50beeab42113dffb1abec20dee108367c5dd"
            "fe38d803cc5b98ba391c973ba366612f96fff95722abf94f",
        .skeyid =
            "61d0afe4b75eae2f3c2af792e6e8eadb8bf0b5ccfd39ca0f5142b3a3ea82379422172e3ec8dc8fee3934"
            "731f307375ecd1da99573ffee756bbbfa543e6c4976e",
        .d = "3fcdaccafcee3d7e23c3c4351b9ba2cf8905dd84f0ad61764dd9d9e045ffea35e27e5567f59bfcfc987c"
             "4bc94a94987a4cf3d9329cc1f75a8043e1ffd5dbdfc0",
        .a = "40ae8e7e0d340b0e20da4ff260653af6867e272346d1e9c3b7c01196da50d33f391e179d7b8d74383769"
             "ab02b7ab06c6ba2bd5db930a873e538e37de0a2024fa",
        .e = "4235a1f5d9dd257033c348ea7bb50bf31545805dcc98cb22d6d5ccf07bc92e958cd4e1a4f73bd3a6f3b1"
             "89693d773c56e048f0b5a066d26f328c6f34f621caa9",
        .key = "4235a1f5d9dd257033c348ea7bb50bf31545805dcc98cb22d6d5ccf07bc92e95",
        .iv = "8397a7a307b999e6429501997f35ad70",
        .hash_i =
            "6474436de296aabcd175dad7d3bb9747ce44f3780821374be760f11856fd9feb1140cce787407fe28b2c"
            "05d047a3410544deca09144f1af5a8b5ed6e016ad5c0",
        .hash_r =
            "2b7850c5811a69e426c64b37f91ae97dcf8a1dbc2db2254df9bb1f228fdebc19cd3bf35127b7d5bed364"
            "e2facf58138cb44fa155d17cff694c31ea2cdfd521b7",
        .hash =
            {
                "3d8b2253e767ffe386621d69f7745ae8632f18f7a2682a9f8d722960fe45d9c27a3392018c92ef9f6e"
                "9a"
                "b8d517d28c471ccb6a4e1bc680cebb511abe69c3defb",
                "5b08c6a0555df0d5ec937c875b35e5f979caa61541f88f4a2668c72030553c1a453fabd4e987c824bc"
                "f5"
                "0cce5015223f0bc57318da063f4aad979cc47adde158",
                "ebe602c9b23124b49348899a1c51b8e7e78e7874ec52c70ab7c1263b4a93779ca7fa5e7542d1543b32"
                "39"
                "e6fa94b8bf304d17eb31e84f67e6cd8a0d77849afe24",
            },
        .encr_i = "c2103d12577d64b58f0469e63973f4f0",
        .encr_r = "c71a453a9b1c9b004fdaae80da7b8aef",
        .integ_i = "666c84ca4b388533a8ff9cec3a291638f193add6d85abe543c053e14341f8c46",
        .integ_r = "460c413ecdb41c44c1bd01bb17f738ed913d34c0d0e5c2042f7c7122edc5dcb6",
    },
    {
        .name = "v1-aggressive-psk-3des-sha1-modp1536",
        .psk = "Only-For-Rigs-0123456789",
        .p1 =
            {
                "2933eda72a2cca7000000000000000000110040000000000000001ac04000034000000010000000100"
                "00"
                "002801010001000000200101000080010005800200028004000580030001800b0001800c3de00a0000"
                "c4"
                "320236596b6b5947aed9667d928611eb3af3b2fbc1d835394d6dfd8375b26cc9cad4e181a061ccd197"
                "b3"
                "dc764ff2cbea490e94ba4672711fb5792f1f6ec3a966d4dfa32dd81eeb3328951fdb89b2c945febe10"
                "90"
                "8b167c7bdde3a137fdd93402b54ddced0de9b814d2eed3984169ec5203d39e0a85898f74c374035b93"
                "45"
                "e8d9691c3ca72750b3e02c913d4302a10a41ae4c1ebded1f383a1f6d77f8772d5fbda4edbb08c6cf44"
                "d9"
                "32be8a207200cd50539de04d6a1a19e3fcd39c54078efe300500002468115a24b49d2e523c43e04e10"
                "36"
                "c226a7df4d0734dc161860b36d60bc31a00c0d000014020000006777612e7269672e746573740d0000"
                "0c"
                "09002689dfd6b7120d000014afcad71368a1f1c96b8696fc775701000d0000184048b7d56ebce88525"
                "e7"
                "de7f00d6c2d3800000000d0000144a131c81070358455c5728f20e95452f0000001490cb80913ebb69"
                "6e"
                "086381b5ec427b1f",
                "2933eda72a2cca708964404a8b82396d0110040000000000000001e004000034000000010000000100"
                "00"
                "002801010001000000200101000080010005800200028004000580030001800b0001800c3de00a0000"
                "c4"
                "23bea37a5a0ae96083343ddd3688d5b7f2f84ed53c666c64ba00176214b9e390bc44f54e4f1c4d8512"
                "fb"
                "9175eacb90f67b69e50df53520e9828463f008ac0d3e32bf3728a1873bd95885c977aa1eb8ec8908dd"
                "47"
                "5a52eb83ce0a79483334c985576dd514d20b087937ec6099e8303cc3b298fba325c375f890ebd203d8"
                "a4"
                "8af7375974e0611830d7103f3969a9170a5a1499254a38a5215c670e82bca22114d243c06eb5044346"
                "d2"
                "4e81a25fa2490e6b7b3f42ba1e864a221d68ebd7272905ae05000024e57cf0c04f793c0a7c73be8212"
                "d4"
                "1928625c1f2ab25edff0265489b078efe1b20d000014020000006777622e7269672e746573740d0000"
                "0c"
                "09002689dfd6b7120d000014afcad71368a1f1c96b8696fc775701000d0000184048b7d56ebce88525"
                "e7"
                "de7f00d6c2d380000000140000144a131c81070358455c5728f20e95452f14000018ffcf18c384fbdc"
                "c6"
                "a5db077d63d83beb931db14008000018593a1583c5cb9f9a8592dfe98495766ecbf2c74e000000183e"
                "f5"
                "21b2693c15284229b8f733844845b0eb4d90",
                "2933eda72a2cca708964404a8b82396d08100401000000000000006ceb6016fe331faf83bb4a44b37e"
                "eb"
                "66c442315d0d1f3edabac2397459c4f74449b4c66c33b8a55a39e680f7c4de62f29e2cfa23230eaf5e"
                "14"
                "23d2e4868954edff543204a60bc9c787f5b98378f83da01c",
            },
        .quick =
            {
                "2933eda72a2cca708964404a8b82396d081020019da95204000000b42beb2445a26a321fb5acc6c120"
                "bb"
                "8d9958a024153f3b97185977c63fac72fcf9cf8d4a43d21a7f10a0fec89cc6916a6cb32691e25a8f48"
                "d8"
                "1a93b7e02f1b399366c996255b4ecafb98aca421d95300d1b98b691189422901d7df1dbc5ab1e7c7ba"
                "37"
                "36b3c86c51262a911de0041ad38ac42d00b60bed5b2aac7d6e93fc703c5949861d509c3cc0e5c84f96"
                "0b"
                "d3043b840b5270cc8900081d",
                "2933eda72a2cca708964404a8b82396d081020019da95204000000b4d723639b0e6d0de4331582c1ec"
                "05"
                "859f920b62d440a49fe7308f5d5c54230eed872edd6fe88912cb666e2d912df1368865bdc821bb3f4b"
                "13"
                "9668e6dcfc40e31de25221593bf7f9982bc27ef793c4ca332b31a2b1b0ca7bddf82fede0b520bdf41c"
                "57"
                "a2ae90fa922f43e211d79cbc831d28bfbfdd1c7442898872e8d34774cd2d974eaea3e0590303ddc387"
                "79"
                "8d1ac027cd0e7cf10c1ddc77",
                "2933eda72a2cca708964404a8b82396d081020019da952040000003c22264d5949002f0aaa4a566c03"
                "26"
                "45185acd1fab63d91d25ece0fa6b0faab509",
            },
        .shared =
            "4429d3038b0240e737bd1d49f39d66e8b125160eeee556fc1e1a08c3fc4b01053e0f8f1b7b5b7fb02cec"
            "0a83db9284ecc2e6e9488d4a6ae470f452995ac9630820e8bd3791cf6fcf042cc179aaea330b881e3667"
            "fe9d8c97266b44546d583803c988542a34c320e966ca44420c1008808c45f1c1a6e7dc25cf3bb694d36d"
            "b8dcbf39d5a5816564cc1465c40e6f70e49143c8a7d37e66836b0e0c671627d854cd0451aaddcfbc9f25"
            "9984d65f5a7d42089099201c02f4f36e3adcfc6ce21066cd",
        .skeyid = "7def8aa84cd7821d2791d50ededa8f9937c2f242",
        .d = "74ca4c84bc1dbce15e2acad781ebb60589f040fe",
        .a = "2c0a067db512efa4603b93e7093566e6b5e42572",
        .e = "21adb200471c359c03ca19f9bf5eef3ce21365d7",
        .key = "6cda8638a381005e679fb56e4de4e2f460a659a61c86d755",
        .iv = "a203ee606cdaeeed",
        .hash_i = "11876b2232a890ad14dc5c3fcf998e5cdb16aabf",
        .hash_r = "3ef521b2693c15284229b8f733844845b0eb4d90",
        .hash =
            {
                "7ee0b6440e228fb01d9556a00fd16d851f69b07d",
                "cc5c6d75aab7327eddadaa978a710951f3fc4a60",
                "201eb3b4bb80e35356e6c0950c29a407cc03c15f",
            },
        .encr_i = "10b18aafa100ac4951dcfd6e8c4aef3f",
        .encr_r = "65fc293cd5dfb46dfdd2dc718d9b7251",
        .integ_i = "19a783d0384b0756a6b0e5c65e9b7826a516045d5fdd588b53172cfc3d015229",
        .integ_r = "f5b09758bfe8bc2f852e9281b7f199f018f92005653edfd23377b1cf2f719d70",
    },
    {
        .name = "v1-quick-pfs-ecp256",
        .psk = "Only-For-Rigs-0123456789",
        .p1 =
            {
                "34bb91ef86f3919600000000000000000110020000000000000000b40d000038000000010000000100"
                "00"
                "002c01010001000000240101000080010007800e0080800200048004001380030001800b0001800c3d"
                "e0"
                "0d00000c09002689dfd6b7120d000014afcad71368a1f1c96b8696fc775701000d0000184048b7d56e"
                "bc"
                "e88525e7de7f00d6c2d3800000000d0000144a131c81070358455c5728f20e95452f0000001490cb80"
                "91"
                "3ebb696e086381b5ec427b1f",
                "34bb91ef86f39196927b68e5d9d7ac0d0110020000000000000000a00d000038000000010000000100"
                "00"
                "002c01010001000000240101000080010007800e0080800200048004001380030001800b0001800c3d"
                "e0"
                "0d00000c09002689dfd6b7120d000014afcad71368a1f1c96b8696fc775701000d0000184048b7d56e"
                "bc"
                "e88525e7de7f00d6c2d380000000000000144a131c81070358455c5728f20e95452f",
                "34bb91ef86f39196927b68e5d9d7ac0d0410020000000000000000cc0a0000448ff18a326010551880"
                "d9"
                "0ac524cc852fc873526340951b4be1f8f7791bc1accc71faca1301e50104668bc173010ee0ef998a0e"
                "29"
                "803d5cddb929e9c227d943ac1400002498d1a93211e12ce423f0eba5e99ad77648e45db32f3a2b2a95"
                "6f"
                "254c6b76e2091400002465da1e5ef55c089f81583ee48da3c6bcdda76581df39defdac3ecbd7bd71b5"
                "3b"
                "000000243392542d3d4a9c4eaba18f2a0c0f00987752ed420616787ddb32b834fc1fc0fb",
                "34bb91ef86f39196927b68e5d9d7ac0d0410020000000000000000cc0a00004485efa838d028530ab1"
                "d1"
                "98bf6d54ff13f04d0c3a0618e47f41c7a9e24eb59985e8bd579583221c2787f7963ad9ffa10a68d9b9"
                "c3"
                "14c5ef0e77752a07f78f8a3a140000248eefed9cf7ab34f481ae175ee95fe43c950d899959f13799c5"
                "32"
                "5c5b190bc385140000249c3948cfeeb6cfa4e77ba315ee09d6839a6f2e87da99509416db23f0d2efb4"
                "4b"
                "000000248bb3ea928145c16c370ec2e5a4b121ac03b6c89433ea4ec9f4e169b3622a3736",
                "34bb91ef86f39196927b68e5d9d7ac0d05100201000000000000005c683b7a835b58aa2bee832a1e87"
                "3e"
                "cc9206bd6543fd62e4d29aedef8243bdb3efbf879e0454b3825032a3e65ffe0e739b48d2f1734c3b1c"
                "b8"
                "8d9ab3d203b0fcc9",
                "34bb91ef86f39196927b68e5d9d7ac0d05100201000000000000005c75ef79aeb1c81624a4fd88e925"
                "c0"
                "ac7be66453db9e3dbb82526061bcc1fe3214e8c81f8018fbf39b5ddff438786e7e6f43c13b5aa14717"
                "51"
                "fc2b450227e0b931",
            },
        .quick =
            {
                "34bb91ef86f39196927b68e5d9d7ac0d08102001687af3ca0000010c890ff0f449e3c5c2be7c903fd3"
                "86"
                "0caae8610426746bb68aaefd5bf452f8f0bb1abf11ea83f1aa695b1e8015f73066ead441ed0a38f87d"
                "ac"
                "94141046206e6cd03cbb70c4d15013abe093aa7aa5a9071ae86045cb18aab44452c892948aa7902576"
                "fd"
                "68af639c976f755927dc043b6ab6399b42783a0a47aa500d9cac2506f875909b977786ac03f9d9f467"
                "55"
                "7471951a98d01a736b5bd992beac2a57cb279283d48eb6d9b887968cebbb89e9bca72a130d1ea85d47"
                "0b"
                "fb3d8460c4246c01dbeee9d5f6d84e42c6736547580f950fcdab8b843ad86348740e79bf61c09d6c61"
                "d3"
                "3105a19de438087c9b3a4e3c5252ef22",
                "34bb91ef86f39196927b68e5d9d7ac0d08102001687af3ca0000010cf0076f7c716afd62aad5f769b4"
                "fa"
                "be3de82576884a0f42578630a450b7a1101640d871cfa923c055f40d711b207bb60fb66674eebe0288"
                "06"
                "9469d55089baf8ee8a4460d84230c9d9db6eea46e3e7d289ed402b761dbd742e5818c87f62561c076b"
                "23"
                "aeaccc0f751acb19810933255904c0cb479166ff28c93f0d830206c8483cd959d9ee4f53451c92dc62"
                "c1"
                "9590b81da8b49e6aa95fcabe9f4205fb510885a79aba339d69ee5a83de48cfc1a1fab8dba999720df0"
                "84"
                "9c4b6ef68dafd1414cfaa022fb8a770af4b5b6409eab162cecdaa3d0daf863670c0c1a49542195de46"
                "3c"
                "d30d4cad84d2525891701715c0b89b87",
                "34bb91ef86f39196927b68e5d9d7ac0d08102001687af3ca0000004c1310840926a4db6ff3799e8251"
                "8e"
                "db8a0da5caf56aada0c1ba916f1b2538c9a548cfb33bfc315a3705c8f6ff3cb3ecb8",
            },
        .shared = "24bbf77dd3c83c1a3a968aad4623a0e8c62963d2f7bd77fa0945d75291e094c5",
        .skeyid = "473a1b18f1b5cb23a5d2851ee9d1ea1d3f3643269c466d7b45ad4b03bca89efd",
        .d = "95795f7264a344eafb78fab2fe766ccdce1c98cf6816fbea1d28a340dc45125d",
        .a = "81c721fc8931c5cd886c8b7603d144d0b49529201bed40dd9269bcb03dd0ff00",
        .e = "eac92c488971de52081a6ba2b26d7b2a233bec4dc5ee3c1ff2fb3cbd47f0656a",
        .key = "eac92c488971de52081a6ba2b26d7b2a",
        .iv = "7ab4f5b1a0fe207001c5303f0216d36b",
        .hash_i = "8dded4ac9327a359712775dd5e0ae266c0cead74e3ea4a0749a10d9be3436952",
        .hash_r = "4bc69f73d194a43b7f88014bef7e5f087a05f1caac820f6cb5a9aeeceb13cd3d",
        .hash =
            {
                "25e28f5d8d037560858ae667e0d216be6c5fe412b3421f4dc4fb513ac87a99d9",
                "5bc44f9b710b34ebcb77da79729f0273adb6057a0ebc1bf210ae5ea87d2ee4f9",
                "813757cd79ae28cfae39b06680c0b2b90d924bfea5954b37f53d3e7369d7ff24",
            },
        .quick_shared = "f3df7a5c6f6f35d2733ed851e3dfe584317f0ad569232c9f91c1180fe9f16b0d",
        .encr_i = "a42284760f3425a8725aef0ca63500bd17ddaada",
        .encr_r = "c9832dbc81d6824edb979d6cfa96b1118b00d521",
    },
};
